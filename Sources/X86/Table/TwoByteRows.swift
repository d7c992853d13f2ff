/// The 0F map without its vector instructions (Intel SDM vol. 2, table A-3 and groups 6, 7, 8, 9,
/// 15 and 16), and the general-register instructions of the 0F 38 map. The notation is explained in
/// `OpcodeRow.swift`.
let twoByteRows = """
    0F 00 /0       | sldt     =Rv           | c=tableStore
    0F 00 /0       | sldt     =Mw           | c=tableStore
    0F 00 /1       | str      =Rv           | c=tableStore
    0F 00 /1       | str      =Mw           | c=tableStore
    0F 00 /2       | lldt     Ew            | c=localTableLoad
    0F 00 /3       | ltr      Ew            | c=taskRegisterLoad
    0F 00 /4       | verr     Ew            | c=segmentLoad
    0F 00 /5       | verw     Ew            | c=segmentLoad
    0F 01 /0       | sgdt     =Ms           | f64 c=tableStore
    0F 01 /1       | sidt     =Ms           | f64 c=tableStore
    0F 01 /2       | lgdt     Ms            | f64 c=tableLoad
    0F 01 /3       | lidt     Ms            | f64 c=interruptTableLoad
    0F 01 /4       | smsw     =Rv           | c=readControl
    0F 01 /4       | smsw     =Mw           | c=readControl
    0F 01 /6       | lmsw     Ew            | c=writeControl
    0F 01 /7       | invlpg   .M            | c=invlpg
    NP 0F 01 C1    | vmcall                 |
    NP 0F 01 C8    | monitor                |
    NP 0F 01 C9    | mwait                  | c=halt
    NP 0F 01 CA    | clac                   | c=flagControl
    NP 0F 01 CB    | stac                   | c=flagControl
    NP 0F 01 D0    | xgetbv                 | c=readControl
    NP 0F 01 D1    | xsetbv                 | c=writeControl
    0F 01 D9       | vmmcall                |
    0F 01 F8       | swapgs                 | o64 c=swapgs
    0F 01 F9       | rdtscp                 | c=rdtsc
    0F 02          | lar      +Gv,Ew        | c=segmentLoad
    0F 03          | lsl      +Gv,Ew        | c=segmentLoad
    0F 05          | syscall                | c=syscall
    0F 06          | clts                   | c=writeControl
    0F 07          | sysret{||q}            | id=sysret c=sysret
    0F 08          | invd                   | c=cacheControl
    0F 09          | wbinvd                 | c=cacheControl
    0F 0B          | ud2                    |
    0F 0D /0,2,4-7 | prefetch .M            | id=prefetch c=cacheControl
    0F 0D /1,3     | prefetchw .M           | id=prefetch c=cacheControl
    0F 0D /0-7     | nop      .Rv           |
    0F 18 /0       | prefetchnta .M         | id=prefetch c=cacheControl
    0F 18 /1       | prefetcht0 .M          | id=prefetch c=cacheControl
    0F 18 /2       | prefetcht1 .M          | id=prefetch c=cacheControl
    0F 18 /3       | prefetcht2 .M          | id=prefetch c=cacheControl
    0F 18 /4-7     | nop      .M            |
    0F 18 /0-7     | nop      .Rv           |
    0F 19          | nop      .Ev           |
    0F 1A          | nop      .Ev           |
    0F 1B          | nop      .Ev           |
    0F 1C          | nop      .Ev           |
    0F 1D          | nop      .Ev           |
    0F 1E          | nop      .Ev           |
    F3 0F 1E FA    | endbr64                | id=nop
    F3 0F 1E FB    | endbr32                | id=nop
    0F 1F          | nop      .Ev           |
    0F 20          | mov      =Rn,Cn        | id=movControl f64 f32 any-mod c=readControl
    0F 21          | mov      =Rn,Dn        | id=movDebug f64 f32 any-mod c=readDebug
    0F 22 /0,2,4-7 | mov      =Cn,Rn        | id=movControl f64 f32 any-mod c=writeControl
    0F 22 /3       | mov      =Cn,Rn        | id=movControl f64 f32 any-mod c=writeCR3
    0F 23          | mov      =Dn,Rn        | id=movDebug f64 f32 any-mod c=writeDebug
    0F 30          | wrmsr                  | c=wrmsr
    0F 31          | rdtsc                  | c=rdtsc
    0F 32          | rdmsr                  | c=rdmsr
    0F 33          | rdpmc                  | c=rdtsc
    0F 34          | sysenter               | c=syscall
    0F 35          | sysexit{||q}           | id=sysexit c=sysret
    0F 40+cc       | cmov*    +Gv,Ev        | id=cmovcc
    0F 80+cc       | j*       Jz            | id=jcc f64 c=branch
    0F 90+cc       | set*     =Eb           | id=setcc
    0F A0          | push     FS            | id=pushSegment d64 c=push
    0F A1          | pop      =FS           | id=popSegment d64 c=segmentLoad
    0F A2          | cpuid                  | c=cpuid
    0F A3          | bt       Ev,Gv         |
    0F A4          | shld     +Ev,Gv,Iub    |
    0F A5          | shld     +Ev,Gv,CL     |
    0F A8          | push     GS            | id=pushSegment d64 c=push
    0F A9          | pop      =GS           | id=popSegment d64 c=segmentLoad
    0F AA          | rsm                    | c=interruptReturn
    0F AB          | bts      +Ev,Gv        | lock
    0F AC          | shrd     +Ev,Gv,Iub    |
    0F AD          | shrd     +Ev,Gv,CL     |
    NP 0F AE /0    | {fxsave|fxsave|fxsave64} =M | id=fxsave c=stateSave
    NP 0F AE /1    | {fxrstor|fxrstor|fxrstor64} M | id=fxrstor c=stateRestore
    NP 0F AE /2    | ldmxcsr  Md            | c=load
    NP 0F AE /3    | stmxcsr  =Md           | c=store
    NP 0F AE /4    | {xsave|xsave|xsave64} +M | id=xsave c=stateSave
    NP 0F AE /5    | {xrstor|xrstor|xrstor64} M | id=xrstor c=stateRestore
    NP 0F AE /6    | {xsaveopt|xsaveopt|xsaveopt64} +M | id=xsaveopt c=stateSave
    NP 0F AE /7    | clflush  Mb            | c=cacheControl
    66 0F AE /7    | clflushopt Mb         | c=cacheControl
    NP 0F AE E8+i  | lfence                 | c=fence
    NP 0F AE F0+i  | mfence                 | c=fence
    NP 0F AE F8+i  | sfence                 | c=fence
    F3 0F AE /0    | rdfsbase =Ry           | o64 c=rdmsr
    F3 0F AE /1    | rdgsbase =Ry           | o64 c=rdmsr
    F3 0F AE /2    | wrfsbase Ry            | o64 c=wrmsr
    F3 0F AE /3    | wrgsbase Ry            | o64 c=wrmsr
    0F AF          | imul     +Gv,Ev        | c=multiply
    0F B0          | cmpxchg  +Eb,Gb        | lock
    0F B1          | cmpxchg  +Ev,Gv        | lock
    0F B2          | lss      =Gv,Mp        | c=segmentLoad
    0F B3          | btr      +Ev,Gv        | lock
    0F B4          | lfs      =Gv,Mp        | c=segmentLoad
    0F B5          | lgs      =Gv,Mp        | c=segmentLoad
    0F B6          | movzx    =Gv,Eb        |
    0F B7          | movzx    =Gv,Ew        |
    F3 0F B8       | popcnt   =Gv,Ev        |
    0F B9          | ud1      .Gv,.Ev       |
    0F BA /4       | bt       Ev,Iub        |
    0F BA /5       | bts      +Ev,Iub       | lock
    0F BA /6       | btr      +Ev,Iub       | lock
    0F BA /7       | btc      +Ev,Iub       | lock
    0F BB          | btc      +Ev,Gv        | lock
    0F BC          | bsf      +Gv,Ev        |
    0F BD          | bsr      +Gv,Ev        |
    0F BE          | movsx    =Gv,Eb        |
    0F BF          | movsx    =Gv,Ew        |
    0F C0          | xadd     +Eb,+Gb       | lock
    0F C1          | xadd     +Ev,+Gv       | lock
    NP 0F C3       | movnti   =My,Gy        | c=store
    0F C7 /1       | {cmpxchg8b|cmpxchg8b|cmpxchg16b} +M | id=cmpxchg8b lock c=atomic
    NP 0F C7 /3    | {xrstors|xrstors|xrstors64} M | id=xrstors c=stateRestore
    NP 0F C7 /4    | {xsavec|xsavec|xsavec64} =M | id=xsavec c=stateSave
    NP 0F C7 /5    | {xsaves|xsaves|xsaves64} =M | id=xsaves c=stateSave
    NF 0F C7 /6    | rdrand   =Rv           | c=rdtsc
    NF 0F C7 /7    | rdseed   =Rv           | c=rdtsc
    0F C8+r        | bswap    +Zv           |
    0F FF          | ud0      .Gv,.Ev       |
    66 0F 38 82    | invpcid  Gn,Mx         | c=invlpg
    NF 0F 38 F0    | movbe    =Gv,Mv        | c=load
    NF 0F 38 F1    | movbe    =Mv,Gv        | c=store
    F2 0F 38 F0    | crc32    +Gy,Eb        | size=b
    F2 0F 38 F1    | crc32    +Gy,Ev        |
    """
