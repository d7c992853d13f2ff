/// The x87 escapes D8...DF (Intel SDM vol. 2, A.5), with the aliases that processors execute
/// although the manual omits them (DC D0, DE D0, DD C8, DF C8, DF D0, D9 D8 and DF C0). The
/// notation is explained in `OpcodeRow.swift`.
let x87Rows = """
    D8 /0          | fadd     Md            | c=x87
    D8 /1          | fmul     Md            | c=x87
    D8 /2          | fcom     Md            | c=x87
    D8 /3          | fcomp    Md            | c=x87
    D8 /4          | fsub     Md            | c=x87
    D8 /5          | fsubr    Md            | c=x87
    D8 /6          | fdiv     Md            | c=x87
    D8 /7          | fdivr    Md            | c=x87
    D8 C0+i        | fadd     +ST,Ti        | c=x87
    D8 C8+i        | fmul     +ST,Ti        | c=x87
    D8 D0+i        | fcom     ST,Ti         | c=x87
    D8 D8+i        | fcomp    ST,Ti         | c=x87
    D8 E0+i        | fsub     +ST,Ti        | c=x87
    D8 E8+i        | fsubr    +ST,Ti        | c=x87
    D8 F0+i        | fdiv     +ST,Ti        | c=x87
    D8 F8+i        | fdivr    +ST,Ti        | c=x87
    D9 /0          | fld      Md            | c=x87
    D9 /2          | fst      =Md           | c=x87
    D9 /3          | fstp     =Md           | c=x87
    D9 /4          | fldenv   M             | c=x87
    D9 /5          | fldcw    Mw            | c=x87
    D9 /6          | fnstenv  =M            | c=x87
    D9 /7          | fnstcw   =Mw           | c=x87
    D9 C0+i        | fld      Ti            | c=x87
    D9 C8+i        | fxch     +ST,+Ti       | c=x87
    D9 D0          | fnop                   | c=x87
    D9 D8+i        | fstpnce  =Ti           | c=x87
    D9 E0          | fchs                   | c=x87
    D9 E1          | fabs                   | c=x87
    D9 E4          | ftst                   | c=x87
    D9 E5          | fxam                   | c=x87
    D9 E8          | fld1                   | c=x87
    D9 E9          | fldl2t                 | c=x87
    D9 EA          | fldl2e                 | c=x87
    D9 EB          | fldpi                  | c=x87
    D9 EC          | fldlg2                 | c=x87
    D9 ED          | fldln2                 | c=x87
    D9 EE          | fldz                   | c=x87
    D9 F0          | f2xm1                  | c=x87
    D9 F1          | fyl2x                  | c=x87
    D9 F2          | fptan                  | c=x87
    D9 F3          | fpatan                 | c=x87
    D9 F4          | fxtract                | c=x87
    D9 F5          | fprem1                 | c=x87
    D9 F6          | fdecstp                | c=x87
    D9 F7          | fincstp                | c=x87
    D9 F8          | fprem                  | c=x87
    D9 F9          | fyl2xp1                | c=x87
    D9 FA          | fsqrt                  | c=x87
    D9 FB          | fsincos                | c=x87
    D9 FC          | frndint                | c=x87
    D9 FD          | fscale                 | c=x87
    D9 FE          | fsin                   | c=x87
    D9 FF          | fcos                   | c=x87
    DA /0          | fiadd    Md            | c=x87
    DA /1          | fimul    Md            | c=x87
    DA /2          | ficom    Md            | c=x87
    DA /3          | ficomp   Md            | c=x87
    DA /4          | fisub    Md            | c=x87
    DA /5          | fisubr   Md            | c=x87
    DA /6          | fidiv    Md            | c=x87
    DA /7          | fidivr   Md            | c=x87
    DA C0+i        | fcmovb   +ST,Ti        | id=fcmovcc cond=2 c=x87
    DA C8+i        | fcmove   +ST,Ti        | id=fcmovcc cond=4 c=x87
    DA D0+i        | fcmovbe  +ST,Ti        | id=fcmovcc cond=6 c=x87
    DA D8+i        | fcmovu   +ST,Ti        | id=fcmovcc cond=10 c=x87
    DA E9          | fucompp                | c=x87
    DB /0          | fild     Md            | c=x87
    DB /1          | fisttp   =Md           | c=x87
    DB /2          | fist     =Md           | c=x87
    DB /3          | fistp    =Md           | c=x87
    DB /5          | fld      Mt            | c=x87
    DB /7          | fstp     =Mt           | c=x87
    DB C0+i        | fcmovnb  +ST,Ti        | id=fcmovcc cond=3 c=x87
    DB C8+i        | fcmovne  +ST,Ti        | id=fcmovcc cond=5 c=x87
    DB D0+i        | fcmovnbe +ST,Ti        | id=fcmovcc cond=7 c=x87
    DB D8+i        | fcmovnu  +ST,Ti        | id=fcmovcc cond=11 c=x87
    DB E0          | fneni                  | id=fnop c=x87
    DB E1          | fndisi                 | id=fnop c=x87
    DB E2          | fnclex                 | c=x87
    DB E3          | fninit                 | c=x87
    DB E4          | fnsetpm                | id=fnop c=x87
    DB E8+i        | fucomi   ST,Ti         | c=x87
    DB F0+i        | fcomi    ST,Ti         | c=x87
    DC /0          | fadd     Mq            | c=x87
    DC /1          | fmul     Mq            | c=x87
    DC /2          | fcom     Mq            | c=x87
    DC /3          | fcomp    Mq            | c=x87
    DC /4          | fsub     Mq            | c=x87
    DC /5          | fsubr    Mq            | c=x87
    DC /6          | fdiv     Mq            | c=x87
    DC /7          | fdivr    Mq            | c=x87
    DC C0+i        | fadd     +Ti,ST        | c=x87
    DC C8+i        | fmul     +Ti,ST        | c=x87
    DC D0+i        | fcom     ST,Ti         | c=x87
    DC D8+i        | fcomp    ST,Ti         | c=x87
    DC E0+i        | fsubr    +Ti,ST        | c=x87
    DC E8+i        | fsub     +Ti,ST        | c=x87
    DC F0+i        | fdivr    +Ti,ST        | c=x87
    DC F8+i        | fdiv     +Ti,ST        | c=x87
    DD /0          | fld      Mq            | c=x87
    DD /1          | fisttp   =Mq           | c=x87
    DD /2          | fst      =Mq           | c=x87
    DD /3          | fstp     =Mq           | c=x87
    DD /4          | frstor   M             | c=stateRestore
    DD /6          | fnsave   =M            | c=stateSave
    DD /7          | fnstsw   =Mw           | c=x87
    DD C0+i        | ffree    Ti            | c=x87
    DD C8+i        | fxch     +ST,+Ti       | c=x87
    DD D0+i        | fst      =Ti           | c=x87
    DD D8+i        | fstp     =Ti           | c=x87
    DD E0+i        | fucom    ST,Ti         | c=x87
    DD E8+i        | fucomp   ST,Ti         | c=x87
    DE /0          | fiadd    Mw            | c=x87
    DE /1          | fimul    Mw            | c=x87
    DE /2          | ficom    Mw            | c=x87
    DE /3          | ficomp   Mw            | c=x87
    DE /4          | fisub    Mw            | c=x87
    DE /5          | fisubr   Mw            | c=x87
    DE /6          | fidiv    Mw            | c=x87
    DE /7          | fidivr   Mw            | c=x87
    DE C0+i        | faddp    +Ti,ST        | c=x87
    DE C8+i        | fmulp    +Ti,ST        | c=x87
    DE D0+i        | fcomp    ST,Ti         | c=x87
    DE D9          | fcompp                 | c=x87
    DE E0+i        | fsubrp   +Ti,ST        | c=x87
    DE E8+i        | fsubp    +Ti,ST        | c=x87
    DE F0+i        | fdivrp   +Ti,ST        | c=x87
    DE F8+i        | fdivp    +Ti,ST        | c=x87
    DF /0          | fild     Mw            | c=x87
    DF /1          | fisttp   =Mw           | c=x87
    DF /2          | fist     =Mw           | c=x87
    DF /3          | fistp    =Mw           | c=x87
    DF /4          | fbld     Mt            | c=x87
    DF /5          | fild     Mq            | c=x87
    DF /6          | fbstp    =Mt           | c=x87
    DF /7          | fistp    =Mq           | c=x87
    DF C0+i        | ffreep   Ti            | c=x87
    DF C8+i        | fxch     +ST,+Ti       | c=x87
    DF D0+i        | fstp     =Ti           | c=x87
    DF D8+i        | fstp     =Ti           | c=x87
    DF E0          | fnstsw   =AX           | c=x87
    DF E8+i        | fucomip  ST,Ti         | c=x87
    DF F0+i        | fcomip   ST,Ti         | c=x87
    """
