/// The one-byte opcode map except regular arithmetic and the x87 escapes (Intel SDM vol. 2, table
/// A-2 and groups 1A, 3, 4, 5 and 11). The notation is explained in `OpcodeRow.swift`.
let oneByteRows = """
    06             | push     ES            | id=pushSegment i64 c=push
    07             | pop      =ES           | id=popSegment i64 c=segmentLoad
    0E             | push     CS            | id=pushSegment i64 c=push
    16             | push     SS            | id=pushSegment i64 c=push
    17             | pop      =SS           | id=popSegment i64 c=segmentLoad
    1E             | push     DS            | id=pushSegment i64 c=push
    1F             | pop      =DS           | id=popSegment i64 c=segmentLoad
    27             | daa                    | i64
    2F             | das                    | i64
    37             | aaa                    | i64
    3F             | aas                    | i64
    40+r           | inc      +Zv           | i64
    48+r           | dec      +Zv           | i64
    50+r           | push     Zv            | d64 c=push
    58+r           | pop      =Zv           | d64 c=pop
    60             | {pusha|pushad|}        | id=pusha i64 c=push
    61             | {popa|popad|}          | id=popa i64 c=pop
    62             | bound    Gv,M          | i64
    63             | arpl     +Ew,Gw        | i64
    63             | movsxd   =Gv,Ez        | o64
    68             | push     Iz            | d64 c=push
    69             | imul     =Gv,Ev,Iz     | c=multiply
    6A             | push     Ib            | d64 c=push
    6B             | imul     =Gv,Ev,Ib     | c=multiply
    6C             | insb     =Yb,DX        | id=ins c=portIO
    6D             | ins{w|d|d} =Yz,DX      | id=ins c=portIO
    6E             | outsb    DX,Xb         | id=outs size=b c=portIO
    6F             | outs{w|d|d} DX,Xz      | id=outs size=z c=portIO
    70+cc          | j*       Jb            | id=jcc f64 c=branch
    84             | test     Eb,Gb         |
    85             | test     Ev,Gv         |
    86             | xchg     +Eb,+Gb       | lock cm=atomic
    87             | xchg     +Ev,+Gv       | lock cm=atomic
    88             | mov      =Eb,Gb        |
    89             | mov      =Ev,Gv        |
    8A             | mov      =Gb,Eb        |
    8B             | mov      =Gv,Ev        |
    8C /0-5        | mov      =Rv,Sw        | id=movSegment
    8C /0-5        | mov      =Mw,Sw        | id=movSegment
    8D             | lea      =Gv,.M        | cm=simple
    8E /0,2-5      | mov      =Sw,Ew        | id=movSegment c=segmentLoad
    8F /0          | pop      =Ev           | d64 c=pop
    90             | nop                    |
    F3 90          | pause                  | c=pause
    91+r           | xchg     +Zv,+rAX      |
    98             | {cbw|cwde|cdqe}        | id=cbw
    99             | {cwd|cdq|cqo}          | id=cwd
    9A             | call     Ap            | id=callFar i64 c=farTransfer
    9B             | wait                   | id=fwait c=x87
    9C             | pushf{|d|q}            | id=pushf d64 c=pushf
    9D             | popf{|d|q}             | id=popf d64 c=popf
    9E             | sahf                   |
    9F             | lahf                   |
    A0             | mov      =AL,Ob        |
    A1             | mov      =rAX,Ov       |
    A2             | mov      =Ob,AL        |
    A3             | mov      =Ov,rAX       |
    A4             | movsb    =Yb,Xb        | id=movs c=stringStart
    A5             | movs{w|d|q} =Yv,Xv     | id=movs c=stringStart
    A6             | cmpsb    Xb,Yb         | id=cmps c=stringStart
    A7             | cmps{w|d|q} Xv,Yv      | id=cmps c=stringStart
    A8             | test     AL,Ib         |
    A9             | test     rAX,Iz        |
    AA             | stosb    =Yb,AL        | id=stos c=stringStart
    AB             | stos{w|d|q} =Yv,rAX    | id=stos c=stringStart
    AC             | lodsb    =AL,Xb        | id=lods c=stringStart
    AD             | lods{w|d|q} =rAX,Xv    | id=lods c=stringStart
    AE             | scasb    AL,Yb         | id=scas c=stringStart
    AF             | scas{w|d|q} rAX,Yv     | id=scas c=stringStart
    B0+r           | mov      =Zb,Ib        |
    B8+r           | mov      =Zv,Iv        |
    C2             | ret      Iuw           | f64 c=ret
    C3             | ret                    | f64 c=ret
    C4             | les      =Gv,Mp        | i64 c=segmentLoad
    C5             | lds      =Gv,Mp        | i64 c=segmentLoad
    C6 /0          | mov      =Eb,Ib        |
    C7 /0          | mov      =Ev,Iz        |
    C8             | enter    Iuw,I2b       | d64 c=push
    C9             | leave                  | d64 c=pop
    CA             | retf     Iuw           | id=retFar c=farTransfer
    CB             | retf                   | id=retFar c=farTransfer
    CC             | int3                   |
    CD             | int      Iub           |
    CE             | into                   | i64
    CF             | iret{|d|q}             | id=iret c=interruptReturn
    D4             | aam      Iub           | i64 c=divide
    D5             | aad      Iub           | i64 c=multiply
    D6             | salc                   | i64
    D7             | xlatb    ~Lb           | id=xlat size=b c=load
    E0             | loopne   Jb            | f64 c=branch
    E1             | loope    Jb            | f64 c=branch
    E2             | loop     Jb            | f64 c=branch
    E3             | {jcxz|jecxz|jrcxz} Jb  | id=jcxz f64 named-by-address-size c=branch
    E4             | in       =AL,Iub       | c=portIO
    E5             | in       =zAX,Iub      | c=portIO
    E6             | out      Iub,AL        | size=b c=portIO
    E7             | out      Iub,zAX       | size=z c=portIO
    E8             | call     Jz            | f64 c=call
    E9             | jmp      Jz            | f64 c=branch
    EA             | jmp      Ap            | id=jmpFar i64 c=farTransfer
    EB             | jmp      Jb            | f64 c=branch
    EC             | in       =AL,DX        | c=portIO
    ED             | in       =zAX,DX       | c=portIO
    EE             | out      DX,AL         | size=b c=portIO
    EF             | out      DX,zAX        | size=z c=portIO
    F1             | int1                   |
    F4             | hlt                    | c=halt
    F5             | cmc                    |
    F6 /0-1        | test     Eb,Ib         |
    F6 /2          | not      +Eb           | lock
    F6 /3          | neg      +Eb           | lock
    F6 /4          | mul      Eb            | c=multiply
    F6 /5          | imul     Eb            | c=multiply
    F6 /6          | div      Eb            | c=divide
    F6 /7          | idiv     Eb            | c=divide
    F7 /0-1        | test     Ev,Iz         |
    F7 /2          | not      +Ev           | lock
    F7 /3          | neg      +Ev           | lock
    F7 /4          | mul      Ev            | c=multiply
    F7 /5          | imul     Ev            | c=multiply
    F7 /6          | div      Ev            | c=divide
    F7 /7          | idiv     Ev            | c=divide
    F8             | clc                    |
    F9             | stc                    |
    FA             | cli                    | c=flagControl
    FB             | sti                    | c=flagControl
    FC             | cld                    |
    FD             | std                    |
    FE /0          | inc      +Eb           | lock
    FE /1          | dec      +Eb           | lock
    FF /0          | inc      +Ev           | lock
    FF /1          | dec      +Ev           | lock
    FF /2          | call     Ev            | f64 c=call
    FF /3          | call     Mp            | id=callFar c=farTransfer
    FF /4          | jmp      Ev            | f64 c=branch
    FF /5          | jmp      Mp            | id=jmpFar c=farTransfer
    FF /6          | push     Ev            | d64 c=push
    """
