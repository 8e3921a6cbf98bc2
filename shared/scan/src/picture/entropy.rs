//! The coefficients of a JPEG's brightness and colour differences: an own reading of its
//! Huffman codes (ITU-T T.81), because decoders hand out whole levels only.
//!
//! What is odd is left to the decoder, which judges the file: every function returns `None`
//! for it.

/// Blocks that are read at most: three whole components of the largest picture accepted.
const MOST_BLOCKS: usize = 3 << 20;

/// Brightness first, then the two differences.
pub(super) const COMPONENTS: usize = 3;

/// Coefficients of a block.
pub(super) const BLOCK: usize = 64;

/// The place in a block of each coefficient of the file's order, row by row.
const ZIGZAG: [u8; BLOCK] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20,
    13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59,
    52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/// One component of the frame.
#[derive(Debug, Clone)]
struct Component {
    id: u8,
    /// Blocks of a unit of all components, across and down.
    sampling: [usize; 2],
    table: usize,
    /// Blocks across and down, in whole units.
    blocks: [usize; 2],
    /// Those of a scan of its own.
    own_blocks: [usize; 2],
    /// The steps of the coefficients, row by row, from the first scan on.
    steps: Option<[f32; BLOCK]>,
}

/// The frame of a picture that can be read.
#[derive(Debug)]
struct Frame {
    progressive: bool,
    /// Units across and down.
    units: [usize; 2],
    /// Brightness first.
    components: Vec<Component>,
    /// So many pixels share a sample of the differences, across and down.
    share: [usize; 2],
}

impl Frame {
    fn read(segment: &[u8], progressive: bool) -> Option<Self> {
        let &[8, h1, h0, w1, w0, 3, ref list @ ..] = segment else {
            return None;
        };
        let size = [[w1, w0], [h1, h0]].map(|b| usize::from(u16::from_be_bytes(b)));
        let list: &[[u8; 3]; 3] = list.as_chunks::<3>().0.try_into().ok()?;
        let sampling = list.map(|c| [usize::from(c[1] >> 4), usize::from(c[1] & 15)]);
        let share = sampling[0];
        let usual = share.iter().all(|s| matches!(s, 1 | 2)) && sampling[1..] == [[1, 1]; 2];
        if !usual || size.contains(&0) {
            return None;
        }
        let units = [0, 1].map(|k| size[k].div_ceil(8 * share[k]));
        let blocks = units[0] * units[1] * (share[0] * share[1] + 2);
        if blocks > MOST_BLOCKS {
            return None;
        }
        let components = list.iter().zip(sampling).map(|(c, sampling)| Component {
            id: c[0],
            sampling,
            table: usize::from(c[2]),
            blocks: [0, 1].map(|k| units[k] * sampling[k]),
            own_blocks: [0, 1].map(|k| (size[k] * sampling[k]).div_ceil(8 * share[k])),
            steps: None,
        });
        Some(Self {
            progressive,
            units,
            components: components.collect(),
            share,
        })
    }

    /// The steps of each component, once all had a scan.
    fn all_steps(&self) -> Option<[[f32; BLOCK]; COMPONENTS]> {
        let [brightness, blue, red] = &self.components[..] else {
            return None;
        };
        Some([brightness.steps?, blue.steps?, red.steps?])
    }
}

/// A Huffman code.
#[derive(Debug, Clone)]
struct Huffman {
    /// Length and symbol for the next nine bits, where they hold a whole code.
    fast: Vec<[u8; 2]>,
    /// One more than the largest code of each length, and where its symbols begin, less its
    /// first code.
    end: [i32; 17],
    first: [i32; 17],
    symbols: Vec<u8>,
}

/// Bits of a code that are looked up at once.
const FAST: u32 = 9;

impl Huffman {
    fn read(counts: &[u8; 16], symbols: &[u8]) -> Option<Self> {
        let mut table = Self {
            fast: vec![[0; 2]; 1 << FAST],
            end: [0; 17],
            first: [0; 17],
            symbols: symbols.to_vec(),
        };
        let (mut code, mut number) = (0_i32, 0_usize);
        for (length, &count) in (1_u32..).zip(counts) {
            table.first[length as usize] = number as i32 - code;
            for _ in 0..count {
                if length <= FAST {
                    let from = (code as usize) << (FAST - length);
                    let all = table.fast.get_mut(from..from + (1 << (FAST - length)))?;
                    all.fill([length as u8, *symbols.get(number)?]);
                }
                code += 1;
                number += 1;
            }
            table.end[length as usize] = code;
            if code > 1 << length {
                return None;
            }
            code *= 2;
        }
        (number == symbols.len()).then_some(table)
    }
}

/// The bits of a scan.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The last `count` of its bits come next.
    buffer: u64,
    count: u32,
    /// How many of these were made up, beyond the end of the scan.
    made_up: u32,
}

impl<'a> Bits<'a> {
    fn new(bytes: &'a [u8], at: usize) -> Self {
        Self {
            bytes,
            at,
            buffer: 0,
            count: 0,
            made_up: 0,
        }
    }

    /// Makes it 33 bits or more.
    #[inline(always)]
    fn fill(&mut self) {
        if self.count > 32 {
            return;
        }
        if let Some(four) = self.bytes.get(self.at..).and_then(|b| b.first_chunk::<4>()) {
            let word = u32::from_be_bytes(*four);
            // No byte of all ones, which would stand for more than itself.
            let inverse = !word;
            if inverse.wrapping_sub(0x0101_0101) & word & 0x8080_8080 == 0 {
                self.buffer = self.buffer << 32 | u64::from(word);
                self.count += 32;
                self.at += 4;
                return;
            }
        }
        self.fill_slowly();
    }

    #[cold]
    fn fill_slowly(&mut self) {
        for _ in 0..4 {
            let byte = match self.bytes.get(self.at..self.at + 2) {
                Some(&[0xff, 0]) => {
                    self.at += 2;
                    0xff
                }
                Some(&[byte, _]) if byte != 0xff => {
                    self.at += 1;
                    byte
                }
                // A marker, or the end.
                _ => {
                    self.made_up += 8;
                    0
                }
            };
            self.buffer = self.buffer << 8 | u64::from(byte);
            self.count += 8;
        }
    }

    /// Up to 16 bits, after what filled it.
    #[inline(always)]
    fn take(&mut self, count: u32) -> u32 {
        self.count -= count;
        (self.buffer >> self.count) as u32 & ((1 << count) - 1)
    }

    /// The next symbol; enough is left for up to 16 bits that belong to it.
    #[inline(always)]
    fn symbol(&mut self, code: &Huffman) -> Option<u8> {
        self.fill();
        let next = (self.buffer >> (self.count - 16)) as u32 & 0xffff;
        let [length, symbol] = code.fast[(next >> (16 - FAST)) as usize];
        if length > 0 {
            self.count -= u32::from(length);
            return Some(symbol);
        }
        for length in FAST + 1..=16 {
            let prefix = (next >> (16 - length)) as i32;
            if prefix < code.end[length as usize] {
                self.count -= length;
                let number = prefix + code.first[length as usize];
                return code.symbols.get(usize::try_from(number).ok()?).copied();
            }
        }
        None
    }

    /// A number of so many bits, with its sign.
    #[inline(always)]
    fn number(&mut self, size: u32) -> i32 {
        if size == 0 {
            return 0;
        }
        let value = self.take(size) as i32;
        if value < 1 << (size - 1) {
            value - (1 << size) + 1
        } else {
            value
        }
    }

    fn bit(&mut self) -> bool {
        self.fill();
        self.take(1) == 1
    }

    /// Whether all that was read was there.
    fn was_there(&self) -> Option<()> {
        (self.made_up <= self.count).then_some(())
    }

    /// Goes on behind a restart marker.
    fn restart(&mut self) -> Option<()> {
        self.was_there()?;
        // Whole bytes that were read ahead do not occur before a marker.
        (self.count - self.made_up < 8).then_some(())?;
        match self.bytes.get(self.at..self.at + 2) {
            Some(&[0xff, 0xd0..=0xd7]) => {
                *self = Self::new(self.bytes, self.at + 2);
                Some(())
            }
            _ => None,
        }
    }
}

/// A component in a scan, with its codes.
struct Selected {
    number: usize,
    first: Option<Huffman>,
    others: Option<Huffman>,
}

/// What a scan codes.
#[derive(Debug, Clone, Copy)]
struct Band {
    from: usize,
    to: usize,
    /// Bits that came before, and those that are still to come.
    high: u32,
    low: u32,
}

/// What is carried from block to block.
#[derive(Default)]
struct Carried {
    first: [i32; 3],
    /// Blocks to come without coefficients of their own.
    empty: u32,
}

/// Blocks of one component: coefficients in steps, and these steps, row by row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Blocks<'a> {
    pub(super) coefficients: &'a [[i16; BLOCK]],
    pub(super) steps: &'a [f32; BLOCK],
}

/// What the blocks go to.
pub(super) trait Sink {
    /// Told first how many units the picture has, across and down, and how many pixels share
    /// a sample of the differences; refuses what is of another size than expected.
    fn begin(&mut self, units: [usize; 2], share: [usize; 2]) -> Option<()>;

    /// Given all blocks of the next row of units: of each component, one row after another.
    fn row(&mut self, components: [Blocks<'_>; COMPONENTS]);
}

/// Reads a picture; returns the steps of the coefficients of each component, row by row.
/// `None` may come after any of the rows.
pub(super) fn read(bytes: &[u8], sink: &mut impl Sink) -> Option<[[f32; BLOCK]; COMPONENTS]> {
    Reader {
        bytes,
        steps: [None; 4],
        first: [const { None }; 4],
        others: [const { None }; 4],
        restart: 0,
        kept: Kept::default(),
        at_once: false,
        seen: [false; COMPONENTS],
        sink,
    }
    .read()
}

/// Coefficients that are not with the sink yet.
#[derive(Default)]
struct Kept {
    /// Those of a row of units, of each component, one such row after another.
    components: [Vec<[i16; BLOCK]>; COMPONENTS],
    /// Rows of units there is room for; none at first.
    rows: usize,
}

impl Kept {
    fn new(frame: &Frame, rows: usize) -> Self {
        let blocks = |c: &Component| c.blocks[0] * c.sampling[1] * rows;
        let components = [0, 1, 2].map(|k| vec![[0; BLOCK]; blocks(&frame.components[k])]);
        Self { components, rows }
    }

    /// Hands a row of units on.
    fn give(&self, y: usize, steps: &[[f32; BLOCK]; COMPONENTS], sink: &mut impl Sink) {
        sink.row([0, 1, 2].map(|k| {
            let all = &self.components[k];
            let row = all.len() / self.rows;
            Blocks {
                coefficients: &all[y * row..(y + 1) * row],
                steps: &steps[k],
            }
        }));
    }
}

struct Reader<'a, S> {
    bytes: &'a [u8],
    steps: [Option<[f32; BLOCK]>; 4],
    first: [Option<Huffman>; 4],
    others: [Option<Huffman>; 4],
    restart: usize,
    kept: Kept,
    /// Whether all came at once, and went on row by row.
    at_once: bool,
    /// Whether the first coefficients of each were there.
    seen: [bool; COMPONENTS],
    sink: &'a mut S,
}

impl<S: Sink> Reader<'_, S> {
    fn read(mut self) -> Option<[[f32; BLOCK]; COMPONENTS]> {
        let bytes = self.bytes;
        let mut frame: Option<Frame> = None;
        let mut at = 2;
        loop {
            // From one marker to the next.
            while *bytes.get(at)? != 0xff || matches!(*bytes.get(at + 1)?, 0 | 0xff | 0xd0..=0xd7) {
                at += 1;
            }
            let marker = bytes[at + 1];
            if marker == 0xd9 {
                break;
            }
            let length = usize::from(u16::from_be_bytes(*bytes.get(at + 2..)?.first_chunk()?));
            let segment = bytes.get(at + 4..at + 2 + length)?;
            at += 2 + length;
            match marker {
                0xdb => self.take_steps(segment)?,
                0xc4 => self.take_codes(segment)?,
                0xdd => self.restart = usize::from(u16::from_be_bytes(*segment.first_chunk()?)),
                0xc0..=0xc2 if frame.is_none() => {
                    let new = Frame::read(segment, marker == 0xc2)?;
                    self.sink.begin(new.units, new.share)?;
                    frame = Some(new);
                }
                0xda => at = self.scan(frame.as_mut()?, segment, at)?,
                _ => {}
            }
        }
        let frame = frame?;
        (self.seen == [true; COMPONENTS]).then_some(())?;
        let steps = frame.all_steps()?;
        if !self.at_once {
            for y in 0..frame.units[1] {
                self.kept.give(y, &steps, self.sink);
            }
        }
        Some(steps)
    }

    fn take_steps(&mut self, mut segment: &[u8]) -> Option<()> {
        while let [kind, rest @ ..] = segment {
            let wide = usize::from(kind >> 4);
            let (values, rest) = rest.split_at_checked(BLOCK * (1 + wide))?;
            let table = self
                .steps
                .get_mut(usize::from(kind & 15))?
                .insert([0.0; BLOCK]);
            for (k, place) in ZIGZAG.iter().enumerate() {
                table[usize::from(*place)] = match wide {
                    0 => f32::from(values[k]),
                    1 => f32::from(u16::from_be_bytes([values[2 * k], values[2 * k + 1]])),
                    _ => return None,
                };
            }
            segment = rest;
        }
        Some(())
    }

    fn take_codes(&mut self, mut segment: &[u8]) -> Option<()> {
        while let [kind, rest @ ..] = segment {
            let counts: &[u8; 16] = rest.first_chunk()?;
            let many: usize = counts.iter().map(|c| usize::from(*c)).sum();
            let symbols = rest.get(16..16 + many)?;
            let tables = match kind >> 4 {
                0 => &mut self.first,
                1 => &mut self.others,
                _ => return None,
            };
            *tables.get_mut(usize::from(kind & 15))? = Some(Huffman::read(counts, symbols)?);
            segment = &rest[16 + many..];
        }
        Some(())
    }

    /// Reads a scan; where it ends at least.
    fn scan(&mut self, frame: &mut Frame, segment: &[u8], at: usize) -> Option<usize> {
        let (&count, rest) = segment.split_first()?;
        let (list, rest) = rest.split_at_checked(2 * usize::from(count))?;
        let &[from, to, bits] = rest else {
            return None;
        };
        let band = Band {
            from: usize::from(from),
            to: usize::from(to),
            high: u32::from(bits >> 4),
            low: u32::from(bits & 15),
        };
        let mut selected = vec![];
        for [id, tables] in list.as_chunks::<2>().0 {
            let number = frame.components.iter().position(|c| c.id == *id)?;
            let component = &mut frame.components[number];
            if component.steps.is_none() {
                component.steps = *self.steps.get(component.table)?;
            }
            selected.push(Selected {
                number,
                first: self.first.get(usize::from(tables >> 4))?.clone(),
                others: self.others.get(usize::from(tables & 15))?.clone(),
            });
        }
        let spectral = if frame.progressive {
            band.from <= band.to
                && band.to < BLOCK
                && band.low < 14
                && (band.from > 0) == (band.to > 0)
        } else {
            (band.from, band.to, band.high, band.low) == (0, BLOCK - 1, 0, 0)
        };
        if !spectral || selected.is_empty() || (band.from > 0 && selected.len() > 1) {
            return None;
        }
        // What comes all at once goes on row by row, and nothing of it may come again.
        if self.at_once {
            return None;
        }
        if self.kept.rows == 0 {
            self.at_once = !frame.progressive && selected.len() == frame.components.len();
            let rows = if self.at_once { 1 } else { frame.units[1] };
            self.kept = Kept::new(frame, rows);
        }
        let steps = if self.at_once {
            Some(frame.all_steps()?)
        } else {
            None
        };
        let mut bits = Bits::new(self.bytes, at);
        let mut carried = Carried::default();
        let mut done = 0;
        let [across, down] = match selected[..] {
            [ref one] => frame.components[one.number].own_blocks,
            _ => frame.units,
        };
        for y in 0..down {
            for x in 0..across {
                if self.restart > 0 && done > 0 && done % self.restart == 0 {
                    bits.restart()?;
                    carried = Carried::default();
                }
                done += 1;
                for one in &selected {
                    let component = &frame.components[one.number];
                    let [h, v] = if selected.len() > 1 {
                        component.sampling
                    } else {
                        [1, 1]
                    };
                    for k in 0..h * v {
                        let place = [x * h + k % h, y * v + k / h];
                        self.one_block(frame, one, band, place, &mut bits, &mut carried)?;
                    }
                }
            }
            if let Some(steps) = &steps {
                self.kept.give(0, steps, self.sink);
                for blocks in &mut self.kept.components {
                    blocks.fill([0; BLOCK]);
                }
            }
        }
        bits.was_there()?;
        for one in selected.iter().filter(|_| band.from == 0) {
            self.seen[one.number] = true;
        }
        Some(bits.at)
    }

    #[inline(always)]
    fn one_block(
        &mut self,
        frame: &Frame,
        one: &Selected,
        band: Band,
        place: [usize; 2],
        bits: &mut Bits<'_>,
        carried: &mut Carried,
    ) -> Option<()> {
        let first = &mut carried.first[one.number];
        let [across, _] = frame.components[one.number].blocks;
        let kept = &mut self.kept.components[one.number];
        let row = if self.at_once {
            place[1] % frame.components[one.number].sampling[1]
        } else {
            place[1]
        };
        let block = kept.get_mut(row * across + place[0])?;
        if !frame.progressive {
            block[0] = next_first(bits, one.first.as_ref()?, first)? as i16;
            // All of them at once, and none of another block.
            let band = Band { from: 1, ..band };
            return more(bits, one.others.as_ref()?, band, &mut 0, block);
        }
        match (band.from, band.high) {
            (0, 0) => block[0] = (next_first(bits, one.first.as_ref()?, first)? << band.low) as i16,
            (0, _) => block[0] |= i16::from(bits.bit()) << band.low,
            (_, 0) => more(bits, one.others.as_ref()?, band, &mut carried.empty, block)?,
            _ => finer(bits, one.others.as_ref()?, band, &mut carried.empty, block)?,
        }
        Some(())
    }
}

/// The first coefficient, which is coded as its difference from the last one.
#[inline(always)]
fn next_first(bits: &mut Bits<'_>, code: &Huffman, last: &mut i32) -> Option<i32> {
    let size = u32::from(bits.symbol(code)?);
    if size > 15 {
        return None;
    }
    *last = last.wrapping_add(bits.number(size));
    Some(*last)
}

/// The upper bits of a band of coefficients, or all of them.
#[inline(always)]
fn more(
    bits: &mut Bits<'_>,
    code: &Huffman,
    band: Band,
    empty: &mut u32,
    block: &mut [i16; BLOCK],
) -> Option<()> {
    if *empty > 0 {
        *empty -= 1;
        return Some(());
    }
    let mut k = band.from;
    while k <= band.to {
        let symbol = bits.symbol(code)?;
        let (run, size) = (usize::from(symbol >> 4), u32::from(symbol & 15));
        if size == 0 {
            if run < 15 {
                *empty = (1 << run) - 1 + bits.take(run as u32);
                break;
            }
            k += 16;
            continue;
        }
        k += run;
        block[usize::from(*ZIGZAG.get(k)?)] = (bits.number(size) << band.low) as i16;
        k += 1;
    }
    Some(())
}

/// One more bit of a band of coefficients.
fn finer(
    bits: &mut Bits<'_>,
    code: &Huffman,
    band: Band,
    empty: &mut u32,
    block: &mut [i16; BLOCK],
) -> Option<()> {
    let step = 1_i16 << band.low;
    let refine = |bits: &mut Bits<'_>, value: &mut i16| {
        if bits.bit() && *value & step == 0 {
            *value = value.saturating_add(if *value > 0 { step } else { -step });
        }
    };
    let mut k = band.from;
    if *empty == 0 {
        while k <= band.to {
            let symbol = bits.symbol(code)?;
            let (mut run, size) = (usize::from(symbol >> 4), symbol & 15);
            let mut fresh = 0;
            match size {
                0 if run < 15 => {
                    *empty = (1 << run) + bits.take(run as u32);
                    break;
                }
                0 => {}
                1 => fresh = if bits.take(1) == 1 { step } else { -step },
                _ => return None,
            }
            while k <= band.to {
                let value = &mut block[usize::from(ZIGZAG[k])];
                if *value != 0 {
                    refine(bits, value);
                } else if run == 0 {
                    *value = fresh;
                    k += 1;
                    break;
                } else {
                    run -= 1;
                }
                k += 1;
            }
        }
    }
    if *empty > 0 {
        for place in &ZIGZAG[k..=band.to] {
            let value = &mut block[usize::from(*place)];
            if *value != 0 {
                refine(bits, value);
            }
        }
        *empty -= 1;
    }
    Some(())
}
