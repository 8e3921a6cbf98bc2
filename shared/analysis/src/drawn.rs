//! Drawn skin with known spots and red areas: the colour stages against truth.

use crate::chromophores::{angle_deg, cell_noise};
use crate::colour::{HAEMOGLOBIN, MELANIN_SPECTRAL, MELANIN_TSUMURA, density_8, srgb_from_linear};
use crate::extent::Increment;
use crate::field::{CELL_MM, Extent, Field, Sample};
use crate::redness::{ColourFeatures, colour_features};

/// How an increment falls off; each is one half at the radius.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Profile {
    Gaussian,
    Cosine,
    /// A plateau with a soft edge of this share of the radius to each side.
    Flat(f64),
}

#[derive(Debug, Clone, Copy)]
struct Drawn {
    mm: [f64; 2],
    radius_mm: f64,
    stretch: f64,
    profile: Profile,
    melanin: f64,
    haemoglobin: f64,
}

impl Drawn {
    fn at(&self, x: f64, y: f64) -> f64 {
        let (dx, dy) = (x - self.mm[0], y - self.mm[1]);
        let r = (dx * dx / self.stretch + dy * dy * self.stretch).sqrt() / self.radius_mm;
        match self.profile {
            Profile::Gaussian => (-std::f64::consts::LN_2 * r * r).exp(),
            Profile::Cosine if r < 2.0 => 0.5 * (1.0 + (0.5 * std::f64::consts::PI * r).cos()),
            Profile::Cosine => 0.0,
            Profile::Flat(soft) => {
                let t = ((1.0 + soft - r) / (2.0 * soft)).clamp(0.0, 1.0);
                t * t * (3.0 - 2.0 * t)
            }
        }
    }

    fn area_mm2(&self) -> f64 {
        std::f64::consts::PI * self.radius_mm * self.radius_mm
    }
}

struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn gauss(&mut self) -> f64 {
        ((0..3).map(|_| self.next()).sum::<f64>() - 1.5) * 2.0
    }
}

struct Skin {
    side_mm: f64,
    mm_per_px: f64,
    melanin: [f64; 3],
    base: [f64; 2],
    /// Standard deviation in 8-bit levels.
    noise: f64,
    uneven: bool,
    pores: bool,
    drawn: Vec<Drawn>,
}

impl Skin {
    fn new(melanin: [f64; 3], drawn: Vec<Drawn>) -> Self {
        Self {
            side_mm: 90.0,
            mm_per_px: 0.07,
            melanin,
            base: [0.5, 0.3],
            noise: 1.5,
            uneven: false,
            pores: false,
            drawn,
        }
    }

    fn field(&self) -> Field {
        let side = (self.side_mm / self.mm_per_px) as usize;
        let mut random = Noise(7);
        let mut levels = vec![[0_u8; 3]; side * side];
        let gains = [1.03, 1.0, 0.96];
        for (i, px) in levels.iter_mut().enumerate() {
            let x = ((i % side) as f64 + 0.5) * self.mm_per_px;
            let y = ((i / side) as f64 + 0.5) * self.mm_per_px;
            let mut amount = self.base;
            for d in &self.drawn {
                if (x - d.mm[0]).abs() < 4.0 * d.radius_mm
                    && (y - d.mm[1]).abs() < 4.0 * d.radius_mm
                {
                    let v = d.at(x, y);
                    amount[0] += d.melanin * v;
                    amount[1] += d.haemoglobin * v;
                }
            }
            let mut light = 0.35;
            if self.uneven {
                light += 0.25 * (x / self.side_mm - 0.5) + 0.08 * (y / 9.0).sin();
            }
            if self.pores {
                let (px, py) = (x % 1.5 - 0.75, y % 1.5 - 0.75);
                light += 0.3 * (-(px * px + py * py) / 0.03).exp();
            }
            for k in 0..3 {
                let d = amount[0] * self.melanin[k] + amount[1] * HAEMOGLOBIN[k] + light;
                let v = srgb_from_linear(gains[k] * (-d).exp()) * 255.0;
                px[k] = (v + self.noise * random.gauss()).round().clamp(0.0, 255.0) as u8;
            }
        }
        let extent = Extent {
            origin: [0, 0],
            size: [side, side],
            px_mm: [self.mm_per_px as f32; 2],
            aim_mm: CELL_MM,
        };
        let table = density_8();
        let mut field = Field::reduce(extent, |x, y| {
            let px = levels[y * side + x];
            Some(Sample {
                density: px.map(|c| table[usize::from(c)]),
                area_mm2: (self.mm_per_px * self.mm_per_px) as f32,
                usable: true,
            })
        });
        field.noise = cell_noise(&field);
        field
    }

    fn measure(&self) -> (Field, ColourFeatures) {
        let field = self.field();
        let found = colour_features(&field, None);
        (field, found)
    }
}

/// Matches by position; returns hits, false ones, and the largest and the mean relative
/// error of the surface.
fn score(field: &Field, truth: &[Drawn], found: &[&Increment]) -> (usize, usize, f64, f64) {
    let mut used = vec![false; found.len()];
    let (mut hits, mut worst, mut sum) = (0, 0.0_f64, 0.0);
    for t in truth {
        let near = (0..found.len()).filter(|&i| !used[i]).find(|&i| {
            let c = found[i].centre;
            let mm = [0, 1].map(|k| (c[k] + 0.5) * f64::from(field.cell_mm[k]));
            let d = (mm[0] - t.mm[0]).hypot(mm[1] - t.mm[1]);
            d < 0.4 * t.radius_mm
        });
        if let Some(i) = near {
            used[i] = true;
            hits += 1;
            let error = found[i].area_mm2 / t.area_mm2() - 1.0;
            if std::env::var_os("DRAWN_SHOW").is_some() {
                eprintln!(
                    "  r {:.2} {:?} {:+.3} height {:.4}",
                    t.radius_mm, t.profile, error, found[i].height
                );
            }
            worst = worst.max(error.abs());
            sum += error;
        } else if std::env::var_os("DRAWN_SHOW").is_some() {
            eprintln!("  missed {t:?}");
        }
    }
    (hits, found.len() - hits, worst, sum / hits.max(1) as f64)
}

fn spread_out(radii: &[f64], melanin: f64, haemoglobin: f64) -> Vec<Drawn> {
    let profiles = [
        Profile::Gaussian,
        Profile::Cosine,
        Profile::Flat(0.3),
        Profile::Flat(0.1),
    ];
    let mut drawn = vec![];
    for (row, &radius_mm) in radii.iter().enumerate() {
        for (column, &profile) in profiles.iter().enumerate() {
            drawn.push(Drawn {
                mm: [12.3 + 21.1 * column as f64, 11.7 + 21.3 * row as f64],
                radius_mm,
                stretch: 1.0 + 0.15 * column as f64,
                profile,
                melanin,
                haemoglobin,
            });
        }
    }
    drawn
}

#[test]
fn spots_of_every_size_and_profile_under_both_melanins() {
    for melanin in [MELANIN_TSUMURA, MELANIN_SPECTRAL] {
        let skin = Skin::new(melanin, spread_out(&[0.45, 0.8, 1.6, 3.2], 0.35, 0.0));
        let (field, found) = skin.measure();
        let list: Vec<&Increment> = found.spots.iter().map(|s| &s.increment).collect();
        let (hits, wrong, worst, mean) = score(&field, &skin.drawn, &list);
        eprintln!(
            "spots {hits} {wrong} worst {worst:.3} mean {mean:+.4} {:?}",
            found.directions
        );
        assert_eq!((hits, wrong), (16, 0));
        assert!(worst < 0.13 && mean.abs() < 0.03, "{worst} {mean}");
        assert!((found.directions.melanin_deg - angle_deg(melanin)).abs() < 2.0);
        assert!(found.red_areas.is_empty(), "{:?}", found.red_areas.len());
    }
}

#[test]
fn red_areas_of_every_size_and_profile_under_both_melanins() {
    for melanin in [MELANIN_TSUMURA, MELANIN_SPECTRAL] {
        let skin = Skin::new(melanin, spread_out(&[1.2, 2.0, 4.0], 0.0, 0.35));
        let (field, found) = skin.measure();
        let list: Vec<&Increment> = found.red_areas.iter().map(|s| &s.increment).collect();
        let (hits, wrong, worst, mean) = score(&field, &skin.drawn, &list);
        eprintln!(
            "red {hits} {wrong} worst {worst:.3} mean {mean:+.4} {:?}",
            found.directions
        );
        assert_eq!((hits, wrong), (12, 0));
        assert!(worst < 0.1 && mean.abs() < 0.03, "{worst} {mean}");
        assert!(found.spots.is_empty());
    }
}

/// Much blood in a small place is as dark in green as a mole.
#[test]
fn a_small_strong_red_area_is_no_mole() {
    let skin = Skin::new(MELANIN_SPECTRAL, spread_out(&[2.0, 2.4], 0.0, 0.85));
    let (field, found) = skin.measure();
    let list: Vec<&Increment> = found.red_areas.iter().map(|s| &s.increment).collect();
    let (hits, wrong, worst, _) = score(&field, &skin.drawn, &list);
    assert_eq!((hits, wrong), (8, 0), "{worst}");
    assert!(found.spots.is_empty(), "{}", found.spots.len());
}

#[test]
fn dark_skin_uneven_light_and_pores_change_little() {
    for (base, melanin) in [
        ([3.2, 0.3], MELANIN_SPECTRAL),
        ([2.4, 0.3], MELANIN_TSUMURA),
        ([0.2, 0.2], MELANIN_SPECTRAL),
    ] {
        let mut drawn = spread_out(&[0.6, 1.5], 0.4, 0.0);
        let red: Vec<Drawn> = spread_out(&[3.0, 4.0], 0.0, 0.5)
            .into_iter()
            .map(|d| Drawn {
                mm: [d.mm[0], d.mm[1] + 42.0],
                ..d
            })
            .collect();
        drawn.extend(&red);
        let mut skin = Skin::new(melanin, drawn);
        (skin.base, skin.uneven, skin.pores) = (base, true, true);
        let (field, found) = skin.measure();
        let spots: Vec<&Increment> = found.spots.iter().map(|s| &s.increment).collect();
        let (hits, wrong, worst, mean) = score(&field, &skin.drawn[..8], &spots);
        eprintln!("spots {base:?} {hits} {wrong} worst {worst:.3} mean {mean:+.4}");
        assert_eq!((hits, wrong), (8, 0));
        assert!(worst < 0.15 && mean.abs() < 0.05);
        let areas: Vec<&Increment> = found.red_areas.iter().map(|s| &s.increment).collect();
        let (hits, wrong, worst, mean) = score(&field, &red, &areas);
        eprintln!("red {base:?} {hits} {wrong} worst {worst:.3} mean {mean:+.4}");
        assert_eq!((hits, wrong), (8, 0));
        assert!(worst < 0.15 && mean.abs() < 0.05);
    }
}

#[test]
fn clean_skin_has_no_features() {
    for (base, noise) in [([0.5, 0.3], 1.0), ([0.2, 0.2], 3.0), ([3.0, 0.3], 2.0)] {
        let mut skin = Skin::new(MELANIN_SPECTRAL, vec![]);
        (skin.base, skin.noise, skin.uneven, skin.pores) = (base, noise, true, true);
        let (_, found) = skin.measure();
        assert!(found.spots.is_empty(), "{base:?}: {}", found.spots.len());
        assert!(
            found.red_areas.is_empty(),
            "{base:?}: {}",
            found.red_areas.len()
        );
    }
}

/// A spot in a red area, and a red area of four centimetres.
#[test]
fn features_over_each_other_are_both_found() {
    for melanin in [MELANIN_TSUMURA, MELANIN_SPECTRAL] {
        let soft = Profile::Flat(0.25);
        let spot = Drawn {
            mm: [40.0, 44.0],
            radius_mm: 1.3,
            stretch: 1.0,
            profile: soft,
            melanin: 0.4,
            haemoglobin: 0.0,
        };
        let red = Drawn {
            mm: [45.0, 45.0],
            radius_mm: 18.0,
            melanin: 0.0,
            haemoglobin: 0.3,
            ..spot
        };
        let skin = Skin::new(melanin, vec![spot, red]);
        let (field, found) = skin.measure();
        let spots: Vec<&Increment> = found.spots.iter().map(|s| &s.increment).collect();
        let areas: Vec<&Increment> = found.red_areas.iter().map(|s| &s.increment).collect();
        let (hits, wrong, worst, _) = score(&field, &[spot], &spots);
        assert_eq!((hits, wrong), (1, 0), "{worst}");
        assert!(worst < 0.06, "{worst}");
        let (hits, wrong, worst, _) = score(&field, &[red], &areas);
        assert_eq!((hits, wrong), (1, 0), "{worst}");
        assert!(worst < 0.06, "{worst}");
    }
}

#[test]
fn neighbours_are_counted_one_by_one() {
    let one = Drawn {
        mm: [40.0, 40.0],
        radius_mm: 1.5,
        stretch: 1.0,
        profile: Profile::Flat(0.3),
        melanin: 0.35,
        haemoglobin: 0.0,
    };
    let two = Drawn {
        mm: [43.6, 40.0],
        melanin: 0.25,
        ..one
    };
    let skin = Skin::new(MELANIN_SPECTRAL, vec![one, two]);
    let (field, found) = skin.measure();
    let list: Vec<&Increment> = found.spots.iter().map(|s| &s.increment).collect();
    let (hits, wrong, worst, _) = score(&field, &skin.drawn, &list);
    assert_eq!((hits, wrong), (2, 0));
    assert!(worst < 0.08, "{worst}");
}
