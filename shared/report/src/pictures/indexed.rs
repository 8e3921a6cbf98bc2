//! Pictures of at most 256 colours as lossless WebP (RFC 9649, section 3): every colour and
//! transparency exactly, in a fraction of the time that a general encoder takes to find out
//! that there are so few.
//!
//! One table of colours, one prefix code; where the colours of a row go on as they were,
//! to the left or above, their number is written instead of them.

/// The longest and the shortest stretch that is written as a number.
const LONGEST: usize = 4096;
const SHORTEST: usize = 4;
/// The symbols of the prefix code: colours, and lengths of stretches.
const SYMBOLS: usize = 256 + 24;
/// The longest word of a prefix code.
const MOST_BITS: u8 = 15;
/// The order in which the lengths of the words for lengths of words are written.
const LENGTH_ORDER: [usize; 19] = [
    17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
];

/// Bits, the lowest first.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    waiting: u64,
    count: u32,
}

impl Bits {
    /// At most 32.
    #[inline(always)]
    fn put(&mut self, value: u32, bits: u32) {
        self.waiting |= u64::from(value) << self.count;
        self.count += bits;
        if self.count >= 32 {
            self.bytes
                .extend_from_slice(&(self.waiting as u32).to_le_bytes());
            self.waiting >>= 32;
            self.count -= 32;
        }
    }

    fn finish(mut self) -> Vec<u8> {
        let left = self.count.div_ceil(8) as usize;
        self.bytes
            .extend_from_slice(&self.waiting.to_le_bytes()[..left]);
        self.bytes
    }
}

/// A piece of the picture: a colour, or a stretch that is as it was before.
#[derive(Clone, Copy)]
enum Piece {
    Colour(u8),
    /// The length, and 1 if it is like the pixel on the left, 0 if like the row above.
    Stretch(u16, u8),
}

/// The symbol of a length, the bits that follow it, and how many.
fn length_symbol(length: u16) -> (usize, u32, u32) {
    let value = u32::from(length - 1);
    if value < 2 {
        return (256 + value as usize, 0, 0);
    }
    let high = value.ilog2();
    let extra = high - 1;
    let symbol = 2 * high + ((value >> extra) & 1);
    (256 + symbol as usize, value & ((1 << extra) - 1), extra)
}

fn pieces(pixels: &[u8], width: usize) -> Vec<Piece> {
    let mut out = Vec::with_capacity(pixels.len() / 2);
    let mut at = 0;
    while at < pixels.len() {
        let rest = &pixels[at..pixels.len().min(at + LONGEST)];
        let like = |before: usize| {
            let Some(start) = at.checked_sub(before) else {
                return 0;
            };
            // It may run into itself.
            let pairs = rest.iter().zip(&pixels[start..]);
            pairs.take_while(|(a, b)| a == b).count()
        };
        let (left, above) = (like(1), like(width));
        let length = left.max(above);
        if length >= SHORTEST {
            out.push(Piece::Stretch(length as u16, u8::from(left >= above)));
            at += length;
        } else {
            out.push(Piece::Colour(rest[0]));
            at += 1;
        }
    }
    out
}

/// The lengths of the words of a prefix code (Huffman 1952) for symbols that occur so often,
/// at least two of them.
fn word_lengths(mut counts: [u32; SYMBOLS]) -> [u8; SYMBOLS] {
    loop {
        let mut leaves: Vec<(u32, usize)> = (counts.iter().copied().zip(0..))
            .filter(|(count, _)| *count > 0)
            .collect();
        leaves.sort_unstable();
        // Nodes are made in the order of their weight: leaves first, then pairs.
        let mut weights: Vec<u32> = leaves.iter().map(|l| l.0).collect();
        let mut parents = vec![0; 2 * leaves.len() - 1];
        let (mut leaf, mut pair) = (0, leaves.len());
        for node in leaves.len()..parents.len() {
            let mut sum = 0;
            for _ in 0..2 {
                let is_leaf =
                    leaf < leaves.len() && (pair >= node || weights[leaf] <= weights[pair]);
                let lightest = if is_leaf { &mut leaf } else { &mut pair };
                sum += weights[*lightest];
                parents[*lightest] = node;
                *lightest += 1;
            }
            weights.push(sum);
        }
        let mut depths = vec![0_u8; parents.len()];
        for node in (0..parents.len() - 1).rev() {
            depths[node] = depths[parents[node]] + 1;
        }
        if depths.iter().all(|&d| d <= MOST_BITS) {
            let mut lengths = [0; SYMBOLS];
            for (&(_, symbol), depth) in leaves.iter().zip(depths) {
                lengths[symbol] = depth;
            }
            return lengths;
        }
        // Rare symbols count for more until the longest words fit.
        counts.iter_mut().for_each(|c| *c = c.div_ceil(2));
    }
}

/// The words that belong to their lengths, the first bit lowest.
fn words(lengths: &[u8; SYMBOLS]) -> [u32; SYMBOLS] {
    let mut words = [0; SYMBOLS];
    let mut next = 0_u32;
    for bits in 1..=MOST_BITS {
        for symbol in (0..SYMBOLS).filter(|&s| lengths[s] == bits) {
            words[symbol] = next.reverse_bits() >> (32 - u32::from(bits));
            next += 1;
        }
        next <<= 1;
    }
    words
}

/// A code of one symbol, which is 0 and takes no bits.
fn only_zero(bits: &mut Bits) {
    bits.put(0b0001, 4);
}

/// The colours by their numbers; of each the difference from the one before.
fn table(bits: &mut Bits, colours: &[[u8; 4]; 256]) {
    // No cache of colours.
    bits.put(0, 1);
    // Green, red, blue, alpha: words of eight bits for 256 symbols, none for the rest.
    for symbols in [SYMBOLS, 256, 256, 256] {
        bits.put(0, 1);
        bits.put(8, 4);
        for length in &LENGTH_ORDER[..12] {
            bits.put(u32::from(matches!(length, 0 | 8)), 3);
        }
        bits.put(0, 1);
        (0..symbols).for_each(|s| bits.put(u32::from(s < 256), 1));
    }
    only_zero(bits);
    let mut before = [0_u8; 4];
    for colour in colours {
        let [r, g, b, a] = [0, 1, 2, 3].map(|c| colour[c].wrapping_sub(before[c]));
        for difference in [g, r, b, a] {
            bits.put(u32::from(difference.reverse_bits()), 8);
        }
        before = *colour;
    }
}

/// A picture of so many columns, of the numbers of colours (red, green, blue, alpha).
pub(super) fn webp(pixels: &[u8], width: usize, colours: &[[u8; 4]; 256]) -> Vec<u8> {
    let height = pixels.len() / width.max(1);
    let pieces = pieces(pixels, width);
    let mut counts = [0; SYMBOLS];
    // Two words at least.
    (counts[0], counts[1]) = (1, 1);
    for piece in &pieces {
        counts[match *piece {
            Piece::Colour(colour) => usize::from(colour),
            Piece::Stretch(length, _) => length_symbol(length).0,
        }] += 1;
    }
    let lengths = word_lengths(counts);
    let words = words(&lengths);

    let mut bits = Bits::default();
    bits.put(0x2f, 8);
    bits.put(width as u32 - 1, 14);
    bits.put(height as u32 - 1, 14);
    // With transparency, version 0.
    bits.put(1, 4);
    // One transform, a table of 256 colours; then no other, no cache, one code for all.
    bits.put(0b111, 3);
    bits.put(255, 8);
    table(&mut bits, colours);
    bits.put(0, 3);
    // Lengths of words are words of four bits themselves.
    bits.put(0, 1);
    bits.put(15, 4);
    for length in LENGTH_ORDER {
        bits.put(if length < 16 { 4 } else { 0 }, 3);
    }
    bits.put(0, 1);
    for length in lengths {
        bits.put(u32::from(length.reverse_bits() >> 4), 4);
    }
    // Red, blue and alpha say nothing here.
    (0..3).for_each(|_| only_zero(&mut bits));
    // Two distances: the row above, the pixel on the left.
    bits.put(0b011, 3);
    bits.put(0, 1);
    bits.put(1, 8);
    for piece in pieces {
        match piece {
            Piece::Colour(colour) => {
                let symbol = usize::from(colour);
                bits.put(words[symbol], u32::from(lengths[symbol]));
            }
            Piece::Stretch(length, left) => {
                let (symbol, value, extra) = length_symbol(length);
                bits.put(words[symbol], u32::from(lengths[symbol]));
                bits.put(value, extra);
                bits.put(u32::from(left), 1);
            }
        }
    }
    let data = bits.finish();
    let padded = data.len().next_multiple_of(2);
    let mut out = Vec::with_capacity(20 + padded);
    out.extend(b"RIFF");
    out.extend((12 + padded as u32).to_le_bytes());
    out.extend(b"WEBPVP8L");
    out.extend((data.len() as u32).to_le_bytes());
    out.extend(data);
    out.resize(20 + padded, 0);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn colours() -> [[u8; 4]; 256] {
        std::array::from_fn(|i| {
            let i = i as u8;
            [i, i.wrapping_mul(7), 255 - i, i | 1]
        })
    }

    fn comes_back(pixels: &[u8], width: usize) -> usize {
        let colours = colours();
        let file = webp(pixels, width, &colours);
        let decoded = webp::Decoder::new(&file).decode().unwrap();
        assert_eq!(decoded.width() as usize, width);
        assert_eq!(decoded.height() as usize, pixels.len() / width);
        let wanted: Vec<u8> = pixels
            .iter()
            .flat_map(|&p| colours[usize::from(p)])
            .collect();
        assert!(*decoded == *wanted);
        file.len()
    }

    #[test]
    fn every_picture_comes_back() {
        let mut state = 1_u32;
        let mut noise = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        let noisy: Vec<u8> = (0..97 * 61).map(|_| noise()).collect();
        assert!(comes_back(&noisy, 97) < 97 * 61 + 2000);
        // Stretches of every length, rows that repeat, words of every length.
        let stretches: Vec<u8> = (0..300_u32)
            .flat_map(|n| vec![n as u8; (n * n % 9001) as usize + 1])
            .collect();
        let whole = stretches.len() / 1000 * 1000;
        comes_back(&stretches[..whole], 1000);
        let row: Vec<u8> = (0..500).map(|_| noise() >> 4).collect();
        let rows = row.repeat(40);
        assert!(comes_back(&rows, 500) < 2200);
        let skewed: Vec<u8> = (0..1_u32 << 20)
            .map(|i| (i.trailing_ones() + 20 * (i % 3)) as u8)
            .collect();
        comes_back(&skewed, 1024);
        for (pixels, width) in [(&[7_u8][..], 1), (&[0; 9], 3), (&[0, 1, 0, 1], 4)] {
            comes_back(pixels, width);
        }
    }

    #[test]
    fn words_are_no_longer_than_the_format_allows() {
        let mut counts = [0_u32; SYMBOLS];
        let (mut a, mut b) = (1, 1);
        for count in counts.iter_mut().take(40) {
            *count = a;
            (a, b) = (b, a + b);
        }
        let lengths = word_lengths(counts);
        assert_eq!(lengths.iter().max(), Some(&MOST_BITS));
        let whole: f64 = lengths
            .iter()
            .filter(|l| **l > 0)
            .map(|&l| 0.5_f64.powi(i32::from(l)))
            .sum();
        assert_eq!(whole, 1.0);
    }
}
