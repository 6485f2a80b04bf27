use crate::{Arena, Noun, mug, parse};

/// Values that vere's and nockvm's own tests state.
#[test]
fn published_mugs() {
    let cases = [
        ("0", 0x79ff_04e8),
        ("1", 0x715c_2a60),
        ("2", 0x718b_9468),
        ("'Hello, world!'", 0x4d44_1035),
        ("'xxxxxxxxxxxxxxxxxxxxxxxxxxxx'", 0x64df_da5c),
        ("[2 3]", 0x0bae_48a7),
        ("[1 2 3]", 0x3a81_1aec),
        ("[0 0]", 0x192f_5588),
        ("[1 1]", 0x6b32_ec46),
        ("[2 2]", 0x02ef_fe10),
        ("[0 4294967296]", 0x07ce_fb7f),
        ("[340282366920938463463374607431768211455 1]", 0x2aa0_6bfc),
        ("0xface.b00c.15de.adbe.ef12.3456", 0x2aa4_c8fb),
        ("0xdead.beef.1234.5678.fedc.ba98.7654.3210", 0x44fb_2c0c),
        ("[0xdeadbeef12345678fedcba9876543210 0xdeadbeef12345678fedcba9876543210]", 0x61c0_ea5c),
        ("[0xfaceb00c15deadbeef123456 0xdeadbeef12345678fedcba9876543210]", 0x20fb_143f),
    ];
    let mut arena = Arena::new();
    for (text, expected) in cases {
        let noun = parse(&mut arena, text).unwrap();
        assert_eq!(mug(&arena, noun), expected, "{text}");
    }
}

#[test]
fn a_noun_of_astronomical_size_has_a_mug() {
    let mut arena = Arena::new();
    let bomb = (0..1000).fold(Noun::ONE, |noun, _| arena.cell(noun, noun).unwrap());
    let copy = (0..1000).fold(Noun::ONE, |noun, _| arena.cell(noun, noun).unwrap());
    assert_eq!(mug(&arena, bomb), mug(&arena, copy));
}
