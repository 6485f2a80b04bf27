//! Hashes under a secret: who does not know it cannot choose keys that collide.

/// Mixes a word under a secret. Every step can be undone, so distinct words have distinct hashes.
#[inline]
pub(super) fn hash_word(word: u64, seed: u64) -> u64 {
    let mut h = word ^ seed;
    h = (h ^ h >> 32).wrapping_mul(0x0e98_46af_9b1a_615d);
    h ^= seed.rotate_left(32);
    h = (h ^ h >> 32).wrapping_mul(0x0e98_46af_9b1a_615d);
    h ^ h >> 28
}

/// Hashes bytes under a secret: SipHash-1-3 whose key is the seed and its complement.
pub(super) fn hash_bytes(bytes: &[u8], seed: u64) -> u64 {
    sip_1_3(bytes, seed, !seed)
}

/// SipHash (Aumasson and Bernstein, 2012) of one round a word and three at the end.
pub(super) fn sip_1_3(bytes: &[u8], k0: u64, k1: u64) -> u64 {
    let mut v = [
        k0 ^ 0x736f_6d65_7073_6575,
        k1 ^ 0x646f_7261_6e64_6f6d,
        k0 ^ 0x6c79_6765_6e65_7261,
        k1 ^ 0x7465_6462_7974_6573,
    ];
    let (chunks, tail) = bytes.as_chunks::<8>();
    for chunk in chunks {
        let word = u64::from_le_bytes(*chunk);
        v[3] ^= word;
        sip_round(&mut v);
        v[0] ^= word;
    }
    let mut last = [0; 8];
    last[..tail.len()].copy_from_slice(tail);
    let last = u64::from_le_bytes(last) | (bytes.len() as u64) << 56;
    v[3] ^= last;
    sip_round(&mut v);
    v[0] ^= last;
    v[2] ^= 0xff;
    for _ in 0..3 {
        sip_round(&mut v);
    }
    v[0] ^ v[1] ^ v[2] ^ v[3]
}

#[inline]
fn sip_round(v: &mut [u64; 4]) {
    v[0] = v[0].wrapping_add(v[1]);
    v[1] = v[1].rotate_left(13) ^ v[0];
    v[0] = v[0].rotate_left(32);
    v[2] = v[2].wrapping_add(v[3]);
    v[3] = v[3].rotate_left(16) ^ v[2];
    v[0] = v[0].wrapping_add(v[3]);
    v[3] = v[3].rotate_left(21) ^ v[0];
    v[2] = v[2].wrapping_add(v[1]);
    v[1] = v[1].rotate_left(17) ^ v[2];
    v[2] = v[2].rotate_left(32);
}
