//! Byte ranges (RFC 9110, section 14).

/// The one range that a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangeRequest {
    /// `first-last` or `first-`.
    From {
        /// The first byte.
        first: u64,
        /// The last byte, the end of the object if absent.
        last: Option<u64>,
    },
    /// `-count`: the last bytes of the object.
    Last {
        /// How many.
        count: u64,
    },
}

/// A range of an object, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteRange {
    /// The first byte.
    pub first: u64,
    /// The last byte.
    pub last: u64,
}

impl RangeRequest {
    /// Reads a `Range` header of one byte range. What is malformed, of
    /// another unit or of several ranges is ignored, as the standard allows:
    /// the answer is then the whole object.
    #[must_use]
    pub fn from_header(value: &str) -> Option<Self> {
        let (first, last) = value.trim().strip_prefix("bytes=")?.split_once('-')?;
        match (number(first), number(last)) {
            (Some(first), Some(last)) if first <= last => Some(Self::From {
                first,
                last: Some(last),
            }),
            (Some(first), None) if last.is_empty() => Some(Self::From { first, last: None }),
            (None, Some(count)) if first.is_empty() => Some(Self::Last { count }),
            _ => None,
        }
    }

    /// The header, for passing it on.
    #[must_use]
    pub fn to_header(self) -> String {
        match self {
            Self::From {
                first,
                last: Some(last),
            } => format!("bytes={first}-{last}"),
            Self::From { first, last: None } => format!("bytes={first}-"),
            Self::Last { count } => format!("bytes=-{count}"),
        }
    }

    /// The part it means of an object of `total_bytes`; none if it lies
    /// outside.
    #[must_use]
    pub fn resolve(self, total_bytes: u64) -> Option<ByteRange> {
        let end = total_bytes.checked_sub(1)?;
        match self {
            Self::From { first, last } => (first <= end).then(|| ByteRange {
                first,
                last: last.map_or(end, |last| last.min(end)),
            }),
            Self::Last { count } => (count > 0).then(|| ByteRange {
                first: total_bytes.saturating_sub(count),
                last: end,
            }),
        }
    }
}

impl ByteRange {
    /// Reads a `Content-Range` header into the range and the object's size.
    #[must_use]
    pub fn from_content_range(value: &str) -> Option<(Self, u64)> {
        let (range, total) = value.trim().strip_prefix("bytes ")?.split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let (first, last, total) = (number(first)?, number(last)?, number(total)?);
        (first <= last && last < total).then_some((Self { first, last }, total))
    }

    /// How many bytes it spans.
    #[must_use]
    pub fn len_bytes(self) -> u64 {
        self.last.saturating_sub(self.first).saturating_add(1)
    }
}

/// Digits alone: no sign, no space.
fn number(text: &str) -> Option<u64> {
    text.bytes()
        .all(|b| b.is_ascii_digit())
        .then(|| text.parse().ok())
        .flatten()
}
