//! Tokens: what is signed comes back, and nothing else is accepted.
#![allow(clippy::unwrap_used, reason = "in a test, a panic is the finding")]

use data_encoding::BASE64URL_NOPAD;
use dermalia_link::{
    Claims, Flags, InvalidKey, KeyId, KeySet, PublicKey, Refusal, ReportId, SigningKey,
    TOKEN_CHARS, verify,
};
use proptest::prelude::*;

const NOW: u64 = 1_780_000_000;
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn key(id: u16) -> SigningKey {
    SigningKey::from_seed(KeyId::new(id), &[id as u8; 32])
}

fn keys(ids: &[u16]) -> KeySet {
    let first = KeySet::new(key(ids[0]).public());
    ids[1..]
        .iter()
        .fold(first, |set, &id| set.with(key(id).public()).unwrap())
}

fn claims() -> Claims {
    Claims {
        report_id: ReportId::from_bytes(*b"0123456789abcdef"),
        expires_at_secs: NOW + 14 * 86_400,
        epoch: 3,
        flags: Flags::NONE,
    }
}

fn any_claims() -> impl Strategy<Value = Claims> {
    (any::<[u8; 16]>(), NOW + 1..1 << 40, any::<u32>()).prop_map(|(id, expires_at_secs, epoch)| {
        Claims {
            report_id: ReportId::from_bytes(id),
            expires_at_secs,
            epoch,
            flags: Flags::NONE,
        }
    })
}

proptest! {
    #[test]
    fn what_is_signed_comes_back(claims in any_claims(), id in any::<u16>()) {
        let token = key(id).sign(&claims);
        prop_assert_eq!(token.reveal().len(), TOKEN_CHARS);
        prop_assert_eq!(verify(token.reveal(), &keys(&[id]), NOW), Ok(claims));
    }

    #[test]
    fn another_key_of_the_same_id_is_refused(claims in any_claims(), seed in any::<[u8; 32]>()) {
        prop_assume!(seed != [1; 32]);
        let token = SigningKey::from_seed(KeyId::new(1), &seed).sign(&claims);
        prop_assert_eq!(verify(token.reveal(), &keys(&[1]), NOW), Err(Refusal::Forged));
    }

    #[test]
    fn no_text_is_accepted_by_chance(text in "\\PC{0,200}") {
        prop_assert!(verify(&text, &keys(&[1]), NOW).is_err());
    }

    #[test]
    fn no_text_of_the_right_shape_is_accepted_by_chance(text in "[A-Za-z0-9_-]{124}") {
        let refusal = verify(&text, &keys(&[1]), NOW);
        prop_assert!(refusal.is_err());
        prop_assert!(!matches!(refusal, Err(Refusal::Expired(_))));
    }

    #[test]
    fn a_part_or_an_extension_is_malformed(cut in 0..TOKEN_CHARS, more in "[A-Za-z0-9_=-]{1,8}") {
        let token = key(1).sign(&claims());
        let keys = keys(&[1]);
        prop_assert_eq!(verify(&token.reveal()[..cut], &keys, NOW), Err(Refusal::Malformed));
        let longer = format!("{}{more}", token.reveal());
        prop_assert_eq!(verify(&longer, &keys, NOW), Err(Refusal::Malformed));
    }
}

#[test]
fn every_flipped_bit_is_refused() {
    let keys = keys(&[1, 2]);
    let token = key(1).sign(&claims());
    let bytes = BASE64URL_NOPAD.decode(token.reveal().as_bytes()).unwrap();
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let refusal = verify(&BASE64URL_NOPAD.encode(&flipped), &keys, NOW).unwrap_err();
        let expected = match bit / 8 {
            0 => Refusal::Malformed,
            // From key 1, one flipped bit leads to no other live key.
            1 | 2 => Refusal::UnknownKey,
            _ => Refusal::Forged,
        };
        assert_eq!(refusal, expected, "bit {bit}");
    }
}

#[test]
fn every_other_character_at_every_place_is_refused() {
    let keys = keys(&[1]);
    let token = key(1).sign(&claims());
    for place in 0..TOKEN_CHARS {
        for &character in ALPHABET.iter().chain(b"+/=. \n%\0") {
            let mut text = token.reveal().as_bytes().to_vec();
            if text[place] != character {
                text[place] = character;
                let text = String::from_utf8(text).unwrap();
                assert!(verify(&text, &keys, NOW).is_err(), "{character} at {place}");
            }
        }
    }
}

#[test]
fn a_second_spelling_of_the_signature_is_refused() {
    // S plus the group's order satisfies the equation as well; RFC 8032 wants S below it.
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let token = key(1).sign(&claims());
    let mut bytes = BASE64URL_NOPAD.decode(token.reveal().as_bytes()).unwrap();
    let scalar = bytes.len() - 32;
    let mut carry = 0;
    for (byte, order) in bytes[scalar..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        *byte = sum as u8;
        carry = sum >> 8;
    }
    assert_eq!(carry, 0);
    let respelt = BASE64URL_NOPAD.encode(&bytes);
    assert_eq!(verify(&respelt, &keys(&[1]), NOW), Err(Refusal::Forged));
}

#[test]
fn both_live_keys_verify_during_a_rotation_and_a_third_does_not() {
    let keys = keys(&[1, 2]);
    for id in [1, 2] {
        assert_eq!(
            verify(key(id).sign(&claims()).reveal(), &keys, NOW),
            Ok(claims())
        );
    }
    assert_eq!(
        verify(key(3).sign(&claims()).reveal(), &keys, NOW),
        Err(Refusal::UnknownKey)
    );
}

#[test]
fn a_token_expires_at_its_second_and_only_if_it_is_ours() {
    let claims = claims();
    let keys = keys(&[1]);
    let token = key(1).sign(&claims);
    let last = claims.expires_at_secs - 1;
    assert_eq!(verify(token.reveal(), &keys, last), Ok(claims));
    assert_eq!(
        verify(token.reveal(), &keys, last + 1),
        Err(Refusal::Expired(claims))
    );
    assert_eq!(
        verify(token.reveal(), &keys, u64::MAX),
        Err(Refusal::Expired(claims))
    );
    let other = SigningKey::from_seed(KeyId::new(1), &[9; 32]).sign(&claims);
    assert_eq!(
        verify(other.reveal(), &keys, u64::MAX),
        Err(Refusal::Forged)
    );
}

#[test]
fn an_expiry_beyond_forty_bits_is_cut() {
    let claims = Claims {
        expires_at_secs: u64::MAX,
        ..claims()
    };
    let read = verify(key(1).sign(&claims).reveal(), &keys(&[1]), NOW).unwrap();
    assert_eq!(
        read,
        Claims {
            expires_at_secs: (1 << 40) - 1,
            ..claims
        }
    );
}

#[test]
fn claims_open_one_report_in_one_epoch() {
    let claims = claims();
    assert!(claims.authorises(claims.report_id, 3));
    assert!(!claims.authorises(claims.report_id, 4), "revoked since");
    assert!(!claims.authorises(claims.report_id, 2), "never issued");
    assert!(
        !claims.authorises(ReportId::from_bytes([0; 16]), 3),
        "another report"
    );
}

#[test]
fn signing_is_reproducible_and_matches_the_published_layout() {
    // Computed apart from this crate, with Python's `cryptography`.
    let seed = core::array::from_fn(|i| i as u8);
    let key = SigningKey::from_seed(KeyId::new(258), &seed);
    let token = key.sign(&claims());
    assert_eq!(token.reveal(), include_str!("token.txt").trim());
}

#[test]
fn key_sets_read_and_refuse_as_documented() {
    let (first, second) = (key(1).public(), key(2).public());
    let set: KeySet = format!("{first}, {second}").parse().unwrap();
    assert_eq!(
        verify(key(2).sign(&claims()).reveal(), &set, NOW),
        Ok(claims())
    );
    let parse = |text: String| text.parse::<KeySet>().unwrap_err();
    assert_eq!(parse(String::new()), InvalidKey::Empty);
    assert_eq!(
        parse(format!("{first},{first}")),
        InvalidKey::Duplicate(KeyId::new(1))
    );
    let three = format!("{first},{second},{}", key(3).public());
    assert_eq!(parse(three), InvalidKey::TooMany);
    assert_eq!(parse("1".to_owned()), InvalidKey::Text);
    assert_eq!(parse(format!("70000:{}", "A".repeat(43))), InvalidKey::Text);
    assert_eq!(parse("1:AAAA".to_owned()), InvalidKey::Text);
    // The neutral element: under it, anybody's signature fits any message.
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let id = KeyId::new(1);
    assert_eq!(
        PublicKey::from_bytes(id, &neutral),
        Err(InvalidKey::Point(id))
    );
    assert_eq!(
        PublicKey::from_bytes(id, &[2; 32]).unwrap_err(),
        InvalidKey::Point(id)
    );
}

#[test]
fn nothing_secret_is_shown() {
    let key = SigningKey::from_seed(KeyId::new(7), &[0xab; 32]);
    let token = key.sign(&claims());
    assert_eq!(format!("{token:?}"), "Token(redacted)");
    assert_eq!(format!("{key:?}"), "SigningKey(7, redacted)");
    assert_eq!(format!("{:?}", key.public()), "PublicKey(7, redacted)");
}

#[test]
fn a_report_id_has_one_spelling() {
    let id = ReportId::from_bytes([0xab; 16]);
    assert_eq!(id.to_string(), "ab".repeat(16));
    assert_eq!(id.object_prefix(), format!("reports/{}/", "ab".repeat(16)));
    assert_eq!("ab".repeat(16).parse(), Ok(id));
    for text in [
        "AB".repeat(16),
        "ab".repeat(15),
        "ab".repeat(17),
        "zz".repeat(16),
        "é".repeat(16),
    ] {
        assert!(text.parse::<ReportId>().is_err(), "{text}");
    }
}
