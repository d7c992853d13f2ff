/// Two-operand arithmetic and logic (Intel SDM vol. 2, table A-2, columns 0...5 and groups 1 and
/// 2): the one-byte opcodes that come in regular blocks. The notation is explained in
/// `OpcodeRow.swift`.
let arithmeticRows = """
    00             | add      +Eb,Gb        | lock
    01             | add      +Ev,Gv        | lock
    02             | add      +Gb,Eb        |
    03             | add      +Gv,Ev        |
    04             | add      +AL,Ib        |
    05             | add      +rAX,Iz       |
    08             | or       +Eb,Gb        | lock
    09             | or       +Ev,Gv        | lock
    0A             | or       +Gb,Eb        |
    0B             | or       +Gv,Ev        |
    0C             | or       +AL,Ib        |
    0D             | or       +rAX,Iz       |
    10             | adc      +Eb,Gb        | lock
    11             | adc      +Ev,Gv        | lock
    12             | adc      +Gb,Eb        |
    13             | adc      +Gv,Ev        |
    14             | adc      +AL,Ib        |
    15             | adc      +rAX,Iz       |
    18             | sbb      +Eb,Gb        | lock
    19             | sbb      +Ev,Gv        | lock
    1A             | sbb      +Gb,Eb        |
    1B             | sbb      +Gv,Ev        |
    1C             | sbb      +AL,Ib        |
    1D             | sbb      +rAX,Iz       |
    20             | and      +Eb,Gb        | lock
    21             | and      +Ev,Gv        | lock
    22             | and      +Gb,Eb        |
    23             | and      +Gv,Ev        |
    24             | and      +AL,Ib        |
    25             | and      +rAX,Iz       |
    28             | sub      +Eb,Gb        | lock
    29             | sub      +Ev,Gv        | lock
    2A             | sub      +Gb,Eb        |
    2B             | sub      +Gv,Ev        |
    2C             | sub      +AL,Ib        |
    2D             | sub      +rAX,Iz       |
    30             | xor      +Eb,Gb        | lock
    31             | xor      +Ev,Gv        | lock
    32             | xor      +Gb,Eb        |
    33             | xor      +Gv,Ev        |
    34             | xor      +AL,Ib        |
    35             | xor      +rAX,Iz       |
    38             | cmp      Eb,Gb         |
    39             | cmp      Ev,Gv         |
    3A             | cmp      Gb,Eb         |
    3B             | cmp      Gv,Ev         |
    3C             | cmp      AL,Ib         |
    3D             | cmp      rAX,Iz        |
    80 /0          | add      +Eb,Ib        | lock
    80 /1          | or       +Eb,Ib        | lock
    80 /2          | adc      +Eb,Ib        | lock
    80 /3          | sbb      +Eb,Ib        | lock
    80 /4          | and      +Eb,Ib        | lock
    80 /5          | sub      +Eb,Ib        | lock
    80 /6          | xor      +Eb,Ib        | lock
    80 /7          | cmp      Eb,Ib         |
    81 /0          | add      +Ev,Iz        | lock
    81 /1          | or       +Ev,Iz        | lock
    81 /2          | adc      +Ev,Iz        | lock
    81 /3          | sbb      +Ev,Iz        | lock
    81 /4          | and      +Ev,Iz        | lock
    81 /5          | sub      +Ev,Iz        | lock
    81 /6          | xor      +Ev,Iz        | lock
    81 /7          | cmp      Ev,Iz         |
    82 /0          | add      +Eb,Ib        | lock i64
    82 /1          | or       +Eb,Ib        | lock i64
    82 /2          | adc      +Eb,Ib        | lock i64
    82 /3          | sbb      +Eb,Ib        | lock i64
    82 /4          | and      +Eb,Ib        | lock i64
    82 /5          | sub      +Eb,Ib        | lock i64
    82 /6          | xor      +Eb,Ib        | lock i64
    82 /7          | cmp      Eb,Ib         | i64
    83 /0          | add      +Ev,Ib        | lock
    83 /1          | or       +Ev,Ib        | lock
    83 /2          | adc      +Ev,Ib        | lock
    83 /3          | sbb      +Ev,Ib        | lock
    83 /4          | and      +Ev,Ib        | lock
    83 /5          | sub      +Ev,Ib        | lock
    83 /6          | xor      +Ev,Ib        | lock
    83 /7          | cmp      Ev,Ib         |
    C0 /0          | rol      +Eb,Iub       |
    C0 /1          | ror      +Eb,Iub       |
    C0 /2          | rcl      +Eb,Iub       |
    C0 /3          | rcr      +Eb,Iub       |
    C0 /4          | shl      +Eb,Iub       |
    C0 /5          | shr      +Eb,Iub       |
    C0 /6          | sal      +Eb,Iub       | id=shl
    C0 /7          | sar      +Eb,Iub       |
    C1 /0          | rol      +Ev,Iub       |
    C1 /1          | ror      +Ev,Iub       |
    C1 /2          | rcl      +Ev,Iub       |
    C1 /3          | rcr      +Ev,Iub       |
    C1 /4          | shl      +Ev,Iub       |
    C1 /5          | shr      +Ev,Iub       |
    C1 /6          | sal      +Ev,Iub       | id=shl
    C1 /7          | sar      +Ev,Iub       |
    D0 /0          | rol      +Eb,1         |
    D0 /1          | ror      +Eb,1         |
    D0 /2          | rcl      +Eb,1         |
    D0 /3          | rcr      +Eb,1         |
    D0 /4          | shl      +Eb,1         |
    D0 /5          | shr      +Eb,1         |
    D0 /6          | sal      +Eb,1         | id=shl
    D0 /7          | sar      +Eb,1         |
    D1 /0          | rol      +Ev,1         |
    D1 /1          | ror      +Ev,1         |
    D1 /2          | rcl      +Ev,1         |
    D1 /3          | rcr      +Ev,1         |
    D1 /4          | shl      +Ev,1         |
    D1 /5          | shr      +Ev,1         |
    D1 /6          | sal      +Ev,1         | id=shl
    D1 /7          | sar      +Ev,1         |
    D2 /0          | rol      +Eb,CL        |
    D2 /1          | ror      +Eb,CL        |
    D2 /2          | rcl      +Eb,CL        |
    D2 /3          | rcr      +Eb,CL        |
    D2 /4          | shl      +Eb,CL        |
    D2 /5          | shr      +Eb,CL        |
    D2 /6          | sal      +Eb,CL        | id=shl
    D2 /7          | sar      +Eb,CL        |
    D3 /0          | rol      +Ev,CL        |
    D3 /1          | ror      +Ev,CL        |
    D3 /2          | rcl      +Ev,CL        |
    D3 /3          | rcr      +Ev,CL        |
    D3 /4          | shl      +Ev,CL        |
    D3 /5          | shr      +Ev,CL        |
    D3 /6          | sal      +Ev,CL        | id=shl
    D3 /7          | sar      +Ev,CL        |
    """
