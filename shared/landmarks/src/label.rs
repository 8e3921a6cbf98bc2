use dermalia_findings::Region;

/// What is not skin to be measured, as far as landmarks can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mask {
    /// Between the rims of the lids.
    Eye,
    /// The brow and 3 mm around it.
    Brow,
    /// The red of the lips and the mouth between.
    Lips,
    /// The nostril.
    Nostril,
}

impl Mask {
    const ALL: [Self; 4] = [Self::Eye, Self::Brow, Self::Lips, Self::Nostril];
}

/// What a point of the face is: one byte, so that a whole atlas of them is small.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Label(u8);

impl Label {
    /// Beyond the face oval: nothing is measured there.
    pub const OUTSIDE: Self = Self(0);
    const INSIDE: u8 = 0x80;

    /// A point of the face oval.
    #[must_use]
    pub const fn new(region: Option<Region>, mask: Option<Mask>) -> Self {
        // Region::Face is the union of the others, no label of its own.
        let region = match region {
            Some(Region::Face) | None => 0,
            Some(r) => r.index() as u8 + 1,
        };
        let mask = match mask {
            None => 0,
            Some(m) => m as u8 + 1,
        };
        Self(Self::INSIDE | (mask << 4) | region)
    }

    /// The region, masked or not; `None` between the regions and outside of the oval.
    #[must_use]
    pub fn region(self) -> Option<Region> {
        let index = usize::from(self.0 & 0x0f);
        (index > 0).then(|| Region::ALL[(index - 1).min(12)])
    }

    /// The mask that covers the point.
    #[must_use]
    pub fn excluded(self) -> Option<Mask> {
        let index = usize::from(self.0 >> 4 & 0x07);
        (index > 0).then(|| Mask::ALL[(index - 1).min(3)])
    }

    /// Whether the point is within the face oval.
    #[must_use]
    pub const fn is_inside(self) -> bool {
        self.0 & Self::INSIDE != 0
    }

    /// The region where it is to be measured: not where it is masked.
    #[must_use]
    pub fn measured(self) -> Option<Region> {
        if self.0 >> 4 & 0x07 == 0 {
            self.region()
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_gives_back_its_parts() {
        let masks = Mask::ALL.into_iter().map(Some).chain([None]);
        for mask in masks {
            for region in Region::ALL {
                let label = Label::new(Some(region), mask);
                assert!(label.is_inside());
                assert_eq!(label.excluded(), mask);
                assert_eq!(label.region(), (region != Region::Face).then_some(region));
                assert_eq!(
                    label.measured().is_some(),
                    mask.is_none() && region != Region::Face
                );
            }
            assert_eq!(Label::new(None, mask).region(), None);
        }
        assert!(!Label::OUTSIDE.is_inside());
        assert_eq!(Label::OUTSIDE, Label::default());
    }
}
