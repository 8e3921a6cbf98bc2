//! What may be known of who opened a report: a network, a class of browser,
//! a class of device.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A network of IPv4 /24 or IPv6 /48: 256 addresses, or those of one site.
///
/// A full address has no form in this type, so none can be sent or stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network(Prefix);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Prefix {
    V4([u8; 3]),
    V6([u16; 3]),
}

/// A text that is not a [`Network`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a network is an IPv4 address ending in .0/24 or an IPv6 prefix of /48")]
pub struct InvalidNetwork;

impl Network {
    /// The network of an address.
    ///
    /// An IPv6 address that carries an IPv4 one (mapped, 6to4) is cut as that
    /// one is: its first 48 bits would hold it whole.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::of_v4(address),
            IpAddr::V6(address) => match (address.to_ipv4_mapped(), address.segments()) {
                (Some(inner), _) => Self::of_v4(inner),
                (None, [0x2002, high, low, ..]) => {
                    let ([a, b], [c, _]) = (high.to_be_bytes(), low.to_be_bytes());
                    Self(Prefix::V4([a, b, c]))
                }
                (None, [a, b, c, ..]) => Self(Prefix::V6([a, b, c])),
            },
        }
    }

    /// The network of an address in its text form, as a proxy states it.
    #[must_use]
    pub fn of_text(address: &str) -> Option<Self> {
        address.trim().parse().ok().map(Self::of)
    }

    fn of_v4(address: Ipv4Addr) -> Self {
        let [a, b, c, _] = address.octets();
        Self(Prefix::V4([a, b, c]))
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Prefix::V4([a, b, c]) => write!(f, "{}/24", Ipv4Addr::new(a, b, c, 0)),
            Prefix::V6([a, b, c]) => write!(f, "{}/48", Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0)),
        }
    }
}

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let (address, _) = text.split_once('/').ok_or(InvalidNetwork)?;
        let network = Self::of(address.parse().map_err(|_| InvalidNetwork)?);
        // One spelling alone, and no bit beyond the prefix.
        (network.to_string() == text)
            .then_some(network)
            .ok_or(InvalidNetwork)
    }
}

impl TryFrom<String> for Network {
    type Error = InvalidNetwork;

    fn try_from(text: String) -> Result<Self, InvalidNetwork> {
        text.parse()
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.to_string()
    }
}

/// A class of browsers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Browser {
    /// Chrome and what shares its name.
    Chrome,
    /// Edge.
    Edge,
    /// Firefox.
    Firefox,
    /// Opera.
    Opera,
    /// Safari.
    Safari,
    /// Samsung Internet.
    Samsung,
    /// Anything else, programs included.
    Other,
}

/// A class of devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Device {
    /// In the hand.
    Phone,
    /// On the knees.
    Tablet,
    /// On the desk.
    Desktop,
    /// Anything else.
    Other,
}

/// The classes to which a `User-Agent` header belongs. It is read for nothing
/// else, and what does not decide a class is forgotten.
#[must_use]
pub fn classes_of(user_agent: Option<&str>) -> (Browser, Device) {
    let text = user_agent.unwrap_or_default();
    let has = |part: &str| text.contains(part);
    // Each names those before whose place it takes, so the rarest come first.
    let browser = if has("Edg/") || has("EdgA/") || has("EdgiOS/") {
        Browser::Edge
    } else if has("OPR/") || has("OPT/") {
        Browser::Opera
    } else if has("SamsungBrowser/") {
        Browser::Samsung
    } else if has("Firefox/") || has("FxiOS/") {
        Browser::Firefox
    } else if has("Chrome/") || has("CriOS/") {
        Browser::Chrome
    } else if has("Version/") && has("Safari/") {
        Browser::Safari
    } else {
        Browser::Other
    };
    let device = if has("iPad") || (has("Android") && !has("Mobile")) {
        Device::Tablet
    } else if has("Mobile") || has("iPhone") {
        Device::Phone
    } else if has("Windows NT") || has("Macintosh") || has("X11;") {
        Device::Desktop
    } else {
        Device::Other
    };
    (browser, device)
}
