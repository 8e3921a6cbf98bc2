//! The one EXIF field that is read: the orientation. All others are dropped unread.

/// How stored rows and columns become upright ones: EXIF values 1 to 8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Orientation(u8);

impl Orientation {
    pub(crate) const UPRIGHT: Self = Self(1);

    pub(crate) const fn value(self) -> u8 {
        self.0
    }

    pub(crate) const fn swaps_sides(self) -> bool {
        self.0 >= 5
    }

    /// From a TIFF block; anything broken counts as upright, as in every viewer.
    pub(crate) fn read(tiff: &[u8]) -> Self {
        read(tiff)
            .filter(|value| (1..=8).contains(value))
            .map_or(Self::UPRIGHT, |value| Self(value as u8))
    }
}

fn read(tiff: &[u8]) -> Option<u16> {
    const ORIENTATION: u16 = 0x0112;
    const SHORT: u16 = 3;
    const LONG: u16 = 4;
    let little = match tiff.get(..2)? {
        b"II" => true,
        b"MM" => false,
        _ => return None,
    };
    let short = |at: usize| -> Option<u16> {
        let bytes = [*tiff.get(at)?, *tiff.get(at + 1)?];
        Some(if little {
            u16::from_le_bytes(bytes)
        } else {
            u16::from_be_bytes(bytes)
        })
    };
    let long = |at: usize| -> Option<u32> {
        let (first, second) = (u32::from(short(at)?), u32::from(short(at + 2)?));
        Some(if little {
            second << 16 | first
        } else {
            first << 16 | second
        })
    };
    if short(2)? != 42 {
        return None;
    }
    let directory = usize::try_from(long(4)?).ok()?;
    let entries = usize::from(short(directory)?);
    for i in 0..entries {
        let at = directory + 2 + 12 * i;
        if short(at)? == ORIENTATION {
            return match short(at + 2)? {
                SHORT => short(at + 8),
                LONG => u16::try_from(long(at + 8)?).ok(),
                _ => None,
            };
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tiff(little: bool, value: u16) -> Vec<u8> {
        let short = |v: u16| {
            if little {
                v.to_le_bytes()
            } else {
                v.to_be_bytes()
            }
        };
        let long = |v: u32| {
            if little {
                v.to_le_bytes()
            } else {
                v.to_be_bytes()
            }
        };
        let mut out = if little {
            b"II".to_vec()
        } else {
            b"MM".to_vec()
        };
        out.extend(short(42));
        out.extend(long(8));
        out.extend(short(2));
        for (tag, v) in [(0x0100, 77), (0x0112, value)] {
            out.extend(short(tag));
            out.extend(short(3));
            out.extend(long(1));
            out.extend(short(v));
            out.extend(short(0));
        }
        out
    }

    #[test]
    fn reads_both_byte_orders_and_survives_every_cut() {
        for little in [true, false] {
            for value in 1..=8 {
                let block = tiff(little, value);
                assert_eq!(u16::from(Orientation::read(&block).value()), value);
            }
            let block = tiff(little, 6);
            for end in 0..block.len() - 2 {
                assert_eq!(Orientation::read(&block[..end]), Orientation::UPRIGHT);
            }
            for value in [0, 9, 0xffff] {
                assert_eq!(
                    Orientation::read(&tiff(little, value)),
                    Orientation::UPRIGHT
                );
            }
        }
    }
}
