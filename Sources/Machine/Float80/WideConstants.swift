/// Constants of the transcendental instructions, to 128 bits, rounded to nearest: a table. Made
/// with mpmath 1.3.0 from their definitions.
enum WideConstant {
    /// ln 2.
    static let naturalLogOf2 = Unrounded(
        negative: false, exponent: -1,
        significand: 0xB17217F7_D1CF79AB_C9E3B398_03F2F6AF)
    /// 2 / ln 2.
    static let twiceLogOfE = Unrounded(
        negative: false, exponent: 1,
        significand: 0xB8AA3B29_5C17F0BB_BE87FED0_691D3E89)
    static let pi = Unrounded(
        negative: false, exponent: 1,
        significand: 0xC90FDAA2_2168C234_C4C6628B_80DC1CD1)
    static let halfPi = Unrounded(
        negative: false, exponent: 0,
        significand: 0xC90FDAA2_2168C234_C4C6628B_80DC1CD1)
    static let one = Unrounded(negative: false, exponent: 0, significand: 1 << 127)
    /// The square root of 2 as a fraction of 2.
    static let rootOf2: UInt128 = 0xB504F333_F9DE6484_597D89B3_754ABE9F
    /// Half of the 66-bit pi that arguments are reduced by (Intel SDM vol. 1, 8.3.8), in units of
    /// 2^-65.
    static let reducingHalfPi: UInt128 = 0x3_243F_6A88_85A3_08D3
    /// log2(10), log2(e), pi, log10(2) and ln(2): what FLDL2T, FLDL2E, FLDPI, FLDLG2 and FLDLN2
    /// round.
    static let logOf10 = Unrounded(
        negative: false, exponent: 1,
        significand: 0xD49A784B_CD1B8AFE_492BF6FF_4DAFDB4D)
    static let logOfE = Unrounded(
        negative: false, exponent: 0,
        significand: 0xB8AA3B29_5C17F0BB_BE87FED0_691D3E89)
    static let decimalLogOf2 = Unrounded(
        negative: false, exponent: -2,
        significand: 0x9A209A84_FBCFF798_8F8959AC_0B7C9178)

    /// The arc tangents of 1/32, 2/32 ... 1, in units of 2^-128.
    static let arcTangents: [UInt128] = [
        0x07FF556E_EA5D892A_13BCEBBB_6ED46311,
        0x0FFAADDB_967EF4E3_6CB2792D_C0E2E0D5,
        0x17EE1826_02F10E8C_126ACFCF_099F06CF,
        0x1FD5BA9A_AC2F6DC6_5912F313_E7D111DF,
        0x27ADDDD1_8CC4D8B0_D1D86749_40D83FA1,
        0x2F72F697_9CB6044D_1EC2D3E2_07271D22,
        0x3721AEA5_24C14408_BD886970_72D54BC1,
        0x3EB6EBF2_5901BAC5_5B71E7BD_7DE885F9,
        0x462FD68C_2FC5E098_6523A458_DFC414C7,
        0x4D89DCDC_1FAF2F34_E2D5DA4C_693D7994,
        0x54C2B665_4735276D_4CDBFBBD_FBECF461,
        0x5BD86507_937BC239_C5519091_6E7F2242,
        0x62C934E5_286C95B6_D0BA3748_FA85146F,
        0x6993BB0F_308FF2DB_213E4AF4_800F389B,
        0x7036D325_3B27BE33_E318F6CB_3CC65C02,
        0x76B19C15_86ED3DA2_B7F222F6_5E1D4682,
        0x7D03742D_50505F2E_33691E3E_AEE47661,
        0x832BF4A6_D9867E2A_4B6A09CB_61A515C1,
        0x892AECDF_DE9547B5_094478FC_472B4AFC,
        0x8F005D5E_F7F59F9B_5C835E16_65C43748,
        0x94AC72C9_847186F6_18C4F393_F78A32F9,
        0x9A2F80E6_71BDDA20_4226F8E2_204FF3BD,
        0x9F89FDC4_F4B7A1EC_F8B49264_4F0701E0,
        0xA4BC7D19_34F70924_19A87F2A_457DAC9F,
        0xA9C7ABDC_4830F5C8_916A84B5_BE7933F6,
        0xAEAC4C38_B4D8C080_14725E2F_3E52070A,
        0xB36B31C9_1F043691_59014174_4462F93A,
        0xB8053E2B_C2319E73_CB2DA552_10A4443D,
        0xBC7B5DEA_E98AF280_D4113006_E80FB290,
        0xC0CE85B8_AC526640_89DD62C4_6E92FA25,
        0xC4FFAFFA_BF8FBD54_8CB43D10_BC9E0221,
        0xC90FDAA2_2168C234_C4C6628B_80DC1CD1,
    ]
}
