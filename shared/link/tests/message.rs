//! Messages: the same bytes at both ends, and nothing that is not in them.
#![allow(clippy::unwrap_used, reason = "in a test, a panic is the finding")]

use dermalia_link::{
    AccessMessage, AccessRecord, Action, Browser, Device, Locale, Network, ReaderRequest, ReportId,
    RequestMessage, Subject, UsageEvent, classes_of,
};
use proptest::prelude::*;

const REPORT: &str = "000102030405060708090a0b0c0d0e0f";

fn report_id() -> ReportId {
    REPORT.parse().unwrap()
}

fn access(network: Option<&str>) -> AccessMessage {
    AccessMessage::Access(AccessRecord {
        at_secs: 1_780_000_000,
        report_id: report_id(),
        network: network.map(|text| text.parse().unwrap()),
        browser: Browser::Safari,
        device: Device::Phone,
    })
}

fn usage(subject: Option<&str>) -> AccessMessage {
    AccessMessage::Usage(UsageEvent {
        at_secs: 1_780_000_000,
        report_id: report_id(),
        action: Action::MapView,
        subject: subject.map(|text| Subject::try_from(text.to_owned()).unwrap()),
    })
}

fn request() -> ReaderRequest {
    ReaderRequest {
        at_secs: 1_780_000_000,
        report_id: report_id(),
        epoch: 3,
        language: Locale::De,
    }
}

#[test]
fn accesses_have_this_form_in_both_directions() {
    for (message, json) in [
        (
            access(Some("203.0.113.0/24")),
            format!(
                r#"{{"kind":"access","at_secs":1780000000,"report_id":"{REPORT}","network":"203.0.113.0/24","browser":"safari","device":"phone"}}"#
            ),
        ),
        (
            access(None),
            format!(
                r#"{{"kind":"access","at_secs":1780000000,"report_id":"{REPORT}","network":null,"browser":"safari","device":"phone"}}"#
            ),
        ),
        (
            usage(Some("redness")),
            format!(
                r#"{{"kind":"usage","at_secs":1780000000,"report_id":"{REPORT}","action":"map_view","subject":"redness"}}"#
            ),
        ),
        (
            usage(None),
            format!(
                r#"{{"kind":"usage","at_secs":1780000000,"report_id":"{REPORT}","action":"map_view"}}"#
            ),
        ),
    ] {
        assert_eq!(message.to_json(), json);
        assert_eq!(AccessMessage::parse(&json).unwrap(), message);
        assert!(RequestMessage::parse(&json).is_err());
    }
}

#[test]
fn requests_have_this_form_in_both_directions() {
    for (message, kind) in [
        (RequestMessage::Renew(request()), "renew"),
        (RequestMessage::Erase(request()), "erase"),
        (RequestMessage::EraseConfirmed(request()), "erase_confirmed"),
        (RequestMessage::Object(request()), "object"),
    ] {
        let json = format!(
            r#"{{"kind":"{kind}","at_secs":1780000000,"report_id":"{REPORT}","epoch":3,"language":"de"}}"#
        );
        assert_eq!(message.to_json(), json);
        assert_eq!(RequestMessage::parse(&json).unwrap(), message);
        assert_eq!(message.request(), &request());
        assert!(AccessMessage::parse(&json).is_err());
    }
}

#[test]
fn anything_more_or_less_is_refused() {
    let whole = access(Some("203.0.113.0/24")).to_json();
    for (from, to) in [
        ("{\"kind\"", "{\"token\":\"x\",\"kind\""),
        ("{\"kind\"", "{\"address\":\"203.0.113.7\",\"kind\""),
        ("\"browser\":\"safari\",", ""),
        ("\"browser\":\"safari\"", "\"browser\":\"Mozilla/5.0\""),
        (
            "\"device\":\"phone\"",
            "\"device\":\"phone\",\"device\":\"phone\"",
        ),
        ("203.0.113.0/24", "203.0.113.7/24"),
        ("203.0.113.0/24", "203.0.113.7"),
        ("203.0.113.0/24", "203.0.113.0/32"),
        ("203.0.113.0/24", "2001:db8:1:2::/48"),
        ("203.0.113.0/24", "2001:0db8:1::/48"),
        (REPORT, "000102030405060708090A0B0C0D0E0F"),
        (REPORT, "0001"),
        ("1780000000", "-1"),
        ("1780000000", "1.5"),
        ("\"access\"", "\"renew\""),
        ("}", "} "),
    ] {
        let changed = whole.replacen(from, to, 1);
        assert_ne!(changed, whole);
        // Space after the end is the one change without meaning.
        assert_eq!(
            AccessMessage::parse(&changed).is_ok(),
            to == "} ",
            "{changed}"
        );
    }
    for from in ["{\"kind\"", "\"epoch\":3"] {
        let whole = RequestMessage::Renew(request()).to_json();
        let changed = whole.replacen(
            from,
            &format!("{from},\"mail\":1").replace("{\"kind\",\"mail\":1", "{\"mail\":1,\"kind\""),
            1,
        );
        assert_ne!(changed, whole);
        assert!(RequestMessage::parse(&changed).is_err(), "{changed}");
    }
    for subject in [
        "",
        "Redness",
        "1a",
        "a-b",
        "max@example.org",
        &"a".repeat(33),
    ] {
        assert!(Subject::try_from(subject.to_owned()).is_err(), "{subject}");
    }
    assert!(AccessMessage::parse(&format!("{whole}{}", " ".repeat(1024))).is_err());
}

#[test]
fn networks_forget_the_address() {
    for (address, network) in [
        ("203.0.113.77", "203.0.113.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
        ("::ffff:203.0.113.77", "203.0.113.0/24"),
        ("2002:cb00:714d:1::1", "203.0.113.0/24"),
        ("::1", "::/48"),
        ("fe80::1", "fe80::/48"),
    ] {
        assert_eq!(Network::of_text(address).unwrap().to_string(), network);
        assert_eq!(
            network.parse::<Network>().unwrap(),
            Network::of_text(address).unwrap()
        );
    }
    for none in ["", "203.0.113", "host", "203.0.113.77:80", "fe80::1%eth0"] {
        assert_eq!(Network::of_text(none), None, "{none}");
    }
}

#[test]
fn browsers_and_devices_have_classes() {
    let chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";
    for (agent, browser, device) in [
        (chrome, Browser::Chrome, Device::Desktop),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0",
            Browser::Edge,
            Device::Desktop,
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1",
            Browser::Safari,
            Device::Phone,
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/142.0 Mobile/15E148 Safari/605.1.15",
            Browser::Firefox,
            Device::Phone,
        ),
        (
            "Mozilla/5.0 (Linux; Android 14; SM-X700) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/28.0 Chrome/130.0.0.0 Safari/537.36",
            Browser::Samsung,
            Device::Tablet,
        ),
        (
            "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36 OPR/90.0",
            Browser::Opera,
            Device::Phone,
        ),
        ("curl/8.14.1", Browser::Other, Device::Other),
        ("", Browser::Other, Device::Other),
    ] {
        assert_eq!(classes_of(Some(agent)), (browser, device), "{agent}");
    }
    assert_eq!(classes_of(None), (Browser::Other, Device::Other));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,80}|\\{\"kind\":\"(access|usage|renew)\"[\\PC]{0,80}") {
        let _ = (AccessMessage::parse(&text), RequestMessage::parse(&text));
    }

    #[test]
    fn no_two_addresses_of_a_network_can_be_told_apart(a in any::<u32>(), low in any::<u8>()) {
        let other = (a & !0xff) | u32::from(low);
        let of = |bits: u32| Network::of(core::net::IpAddr::V4(bits.into()));
        prop_assert_eq!(of(a), of(other));
        prop_assert!(of(a).to_string().ends_with(".0/24"));
    }

    #[test]
    fn networks_read_back(bits in any::<u128>()) {
        let network = Network::of(core::net::IpAddr::V6(bits.into()));
        prop_assert_eq!(network.to_string().parse::<Network>(), Ok(network));
    }
}
