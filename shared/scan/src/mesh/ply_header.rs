//! The header of a PLY file.

use super::Builder;
use crate::ScanError;

/// More elements or properties than any scanner writes.
const MAX_DECLARED: usize = 1024;
/// The longest header that is looked for.
const MAX_HEADER_BYTES: usize = 1 << 20;

/// How the body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Ascii,
    Little,
    Big,
}

/// A number's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scalar {
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    F32,
    F64,
}

impl Scalar {
    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "char" | "int8" => Self::I8,
            "uchar" | "uint8" => Self::U8,
            "short" | "int16" => Self::I16,
            "ushort" | "uint16" => Self::U16,
            "int" | "int32" => Self::I32,
            "uint" | "uint32" => Self::U32,
            "float" | "float32" => Self::F32,
            "double" | "float64" => Self::F64,
            _ => return None,
        })
    }

    pub(crate) const fn bytes(self) -> usize {
        match self {
            Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    /// The number in the first bytes, which are in big-endian order.
    pub(crate) fn decode(self, b: [u8; 8]) -> f64 {
        match self {
            Self::I8 => f64::from(b[0] as i8),
            Self::U8 => f64::from(b[0]),
            Self::I16 => f64::from(i16::from_be_bytes([b[0], b[1]])),
            Self::U16 => f64::from(u16::from_be_bytes([b[0], b[1]])),
            Self::I32 => f64::from(i32::from_be_bytes([b[0], b[1], b[2], b[3]])),
            Self::U32 => f64::from(u32::from_be_bytes([b[0], b[1], b[2], b[3]])),
            Self::F32 => f64::from(f32::from_be_bytes([b[0], b[1], b[2], b[3]])),
            Self::F64 => f64::from_be_bytes(b),
        }
    }
}

/// A property of an element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Property {
    pub(crate) name: String,
    /// The type of the count, for a list.
    pub(crate) list: Option<Scalar>,
    pub(crate) scalar: Scalar,
}

/// An element: so many records of these properties.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) count: u64,
    pub(crate) properties: Vec<Property>,
}

impl Element {
    /// The place of the first property of one of these names.
    pub(crate) fn find(&self, names: &[&str]) -> Option<usize> {
        self.properties
            .iter()
            .position(|p| names.contains(&p.name.as_str()))
    }

    /// The fewest bytes a record takes.
    pub(crate) fn min_bytes(&self, encoding: Encoding) -> usize {
        self.properties
            .iter()
            .map(|p| match (encoding, p.list) {
                // A digit and what parts it from the next.
                (Encoding::Ascii, _) => 2,
                (_, Some(count)) => count.bytes(),
                (_, None) => p.scalar.bytes(),
            })
            .sum()
    }
}

/// A header and where the body starts.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PlyHeader {
    pub(crate) encoding: Encoding,
    pub(crate) elements: Vec<Element>,
    pub(crate) body: usize,
    /// Lines of the header, for errors in an ASCII body.
    pub(crate) lines: usize,
}

pub(crate) fn parse(out: &Builder, bytes: &[u8]) -> Result<PlyHeader, ScanError> {
    let mut at = 0;
    let mut number = 0;
    let mut encoding = None;
    let mut elements: Vec<Element> = Vec::new();
    let mut declared = 0;
    loop {
        let rest = &bytes[at..];
        let end = rest
            .iter()
            .take(MAX_HEADER_BYTES)
            .position(|&b| b == b'\n')
            .ok_or_else(|| out.broken("its header has no end_header"))?;
        at += end + 1;
        number += 1;
        let fault = |reason: &str| out.at_line(number, reason);
        let line = std::str::from_utf8(rest[..end].trim_ascii_end())
            .map_err(|_| fault("the header is not text"))?;
        if number == 1 {
            if line != "ply" {
                return Err(fault("the first line is not \"ply\""));
            }
            continue;
        }
        let words: Vec<&str> = line.split_ascii_whitespace().take(6).collect();
        match words.as_slice() {
            [] | ["comment" | "obj_info", ..] => {}
            ["format", name, version] => {
                let name = match *name {
                    "ascii" => Encoding::Ascii,
                    "binary_little_endian" => Encoding::Little,
                    "binary_big_endian" => Encoding::Big,
                    _ => return Err(fault("an unknown format")),
                };
                if *version != "1.0" {
                    return Err(fault("another version than 1.0"));
                }
                if encoding.replace(name).is_some() {
                    return Err(fault("a second format"));
                }
            }
            ["element", name, count] => elements.push(Element {
                name: (*name).to_owned(),
                count: count
                    .parse()
                    .map_err(|_| fault("an element's count is not a number"))?,
                properties: Vec::new(),
            }),
            ["property", rest @ ..] => {
                let unknown = || fault("a property of an unknown type");
                let property = match rest {
                    ["list", count, scalar, name] => Property {
                        name: (*name).to_owned(),
                        list: Some(
                            Scalar::parse(count)
                                .filter(|s| !matches!(s, Scalar::F32 | Scalar::F64))
                                .ok_or_else(unknown)?,
                        ),
                        scalar: Scalar::parse(scalar).ok_or_else(unknown)?,
                    },
                    [scalar, name] => Property {
                        name: (*name).to_owned(),
                        list: None,
                        scalar: Scalar::parse(scalar).ok_or_else(unknown)?,
                    },
                    _ => return Err(fault("a malformed property")),
                };
                elements
                    .last_mut()
                    .ok_or_else(|| fault("a property before any element"))?
                    .properties
                    .push(property);
            }
            ["end_header"] => break,
            _ => return Err(fault("an unknown keyword")),
        }
        declared += 1;
        if declared > MAX_DECLARED {
            return Err(fault("the header is too long"));
        }
    }
    Ok(PlyHeader {
        encoding: encoding.ok_or_else(|| out.broken("its header names no format"))?,
        elements,
        body: at,
        lines: number,
    })
}
