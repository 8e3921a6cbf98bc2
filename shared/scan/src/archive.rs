//! A zip archive as a bundle's source.
//!
//! The central directory alone is believed; its entry count and size are held to the
//! limits before any of it is read, and each entry is inflated against its declared
//! size, so that neither a false count nor a bomb costs memory.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Seek, SeekFrom};

use flate2::{Crc, read::DeflateDecoder};

use crate::source::{BundleSource, SourceEntry};
use crate::{Limits, ScanError, name};

const END_BYTES: usize = 22;
const END64_LOCATOR_BYTES: u64 = 20;
const END64_BYTES: usize = 56;
const ENTRY_BYTES: usize = 46;
const LOCAL_BYTES: usize = 30;
/// The most that name, extra field and comment of one entry add.
const ENTRY_TAIL_BYTES: u64 = 3 * 0xffff;
/// What deflate packs best: a little over a thousand bytes into one.
const MAX_RATIO: u64 = 1040;
const MAX_COMMENT_BYTES: u64 = 0xffff;

struct Entry {
    bytes: u64,
    packed_bytes: u64,
    offset: u64,
    crc: u32,
    deflated: bool,
}

/// An archive whose directory has been read.
pub struct Archive<R> {
    reader: R,
    names: Vec<String>,
    entries: HashMap<String, Entry>,
    directory_offset: u64,
}

impl<R> std::fmt::Debug for Archive<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Archive")
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}

const fn broken(reason: &'static str) -> ScanError {
    ScanError::ArchiveBroken { reason }
}

fn failed(error: &std::io::Error) -> ScanError {
    if error.kind() == ErrorKind::UnexpectedEof {
        broken("it ends too early")
    } else {
        ScanError::Source {
            file: "the archive".into(),
            reason: error.kind().to_string(),
        }
    }
}

fn le16(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn le32(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn le64(bytes: &[u8], at: usize) -> u64 {
    u64::from(le32(bytes, at)) | u64::from(le32(bytes, at + 4)) << 32
}

/// Where the central directory lies.
struct Directory {
    entries: u64,
    bytes: u64,
    offset: u64,
}

impl<R: Read + Seek> Archive<R> {
    /// Reads the directory of an archive.
    ///
    /// # Errors
    /// A broken directory, an entry that the contract refuses (encrypted, a link, in a
    /// folder, twice), or a limit.
    pub fn open(mut reader: R, limits: &Limits) -> Result<Self, ScanError> {
        let length = reader.seek(SeekFrom::End(0)).map_err(|e| failed(&e))?;
        if length > limits.packed_bytes {
            return Err(ScanError::PackedTooLarge {
                limit_bytes: limits.packed_bytes,
                got_bytes: length,
            });
        }
        let directory = find_directory(&mut reader, length)?;
        // One more for the manifest.
        let most = limits.files as u64 + 1;
        if directory.entries > most {
            return Err(ScanError::TooManyFiles {
                limit: limits.files as u64,
                got: directory.entries - 1,
            });
        }
        let plausible = directory.entries * (ENTRY_BYTES as u64 + ENTRY_TAIL_BYTES);
        if directory.bytes > plausible {
            return Err(broken("its directory is longer than its entries"));
        }
        reader
            .seek(SeekFrom::Start(directory.offset))
            .map_err(|e| failed(&e))?;
        let mut archive = Self {
            reader,
            names: Vec::new(),
            entries: HashMap::new(),
            directory_offset: directory.offset,
        };
        archive.read_entries(&directory, limits)?;
        Ok(archive)
    }

    fn read_entries(&mut self, directory: &Directory, limits: &Limits) -> Result<(), ScanError> {
        let mut left = directory.bytes;
        let mut total = 0_u64;
        for _ in 0..directory.entries {
            let mut head = [0_u8; ENTRY_BYTES];
            self.take(&mut left, &mut head)?;
            if &head[..4] != b"PK\x01\x02" {
                return Err(broken("a directory entry has no signature"));
            }
            let mut raw_name = vec![0; usize::from(le16(&head, 28))];
            self.take(&mut left, &mut raw_name)?;
            let mut extra = vec![0; usize::from(le16(&head, 30))];
            self.take(&mut left, &mut extra)?;
            let mut comment = vec![0; usize::from(le16(&head, 32))];
            self.take(&mut left, &mut comment)?;
            let (name, entry) = entry(&head, &raw_name, &extra)?;
            total = total.saturating_add(entry.bytes);
            if total > limits.unpacked_bytes {
                return Err(ScanError::UnpackedTooLarge {
                    limit_bytes: limits.unpacked_bytes,
                    got_bytes: total,
                });
            }
            if entry
                .offset
                .saturating_add(LOCAL_BYTES as u64)
                .saturating_add(entry.packed_bytes)
                > directory.offset
            {
                return Err(ScanError::ArchiveEntryBroken {
                    file: name::shown(&name),
                    reason: "its data lies outside the archive",
                });
            }
            self.names.push(name.clone());
            if self.entries.insert(name.clone(), entry).is_some() {
                return Err(ScanError::DuplicateName {
                    file: name::shown(&name),
                });
            }
        }
        Ok(())
    }

    fn take(&mut self, left: &mut u64, into: &mut [u8]) -> Result<(), ScanError> {
        *left = left
            .checked_sub(into.len() as u64)
            .ok_or(broken("a directory entry is cut off"))?;
        self.reader.read_exact(into).map_err(|e| failed(&e))
    }
}

fn find_directory<R: Read + Seek>(reader: &mut R, length: u64) -> Result<Directory, ScanError> {
    let tail_bytes = length.min(MAX_COMMENT_BYTES + END_BYTES as u64);
    let tail_start = length - tail_bytes;
    reader
        .seek(SeekFrom::Start(tail_start))
        .map_err(|e| failed(&e))?;
    let mut tail = vec![0; tail_bytes as usize];
    reader.read_exact(&mut tail).map_err(|e| failed(&e))?;
    let at = (0..=tail.len().saturating_sub(END_BYTES))
        .rev()
        .find(|&i| {
            tail.get(i..i + END_BYTES).is_some_and(|end| {
                &end[..4] == b"PK\x05\x06"
                    && i + END_BYTES + usize::from(le16(end, 20)) <= tail.len()
            })
        })
        .ok_or(broken("it has no end record"))?;
    let end = &tail[at..];
    let end_offset = tail_start + at as u64;
    let mut directory = Directory {
        entries: u64::from(le16(end, 10)),
        bytes: u64::from(le32(end, 12)),
        offset: u64::from(le32(end, 16)),
    };
    let mut disks = le16(end, 4) != 0 || le16(end, 6) != 0 || le16(end, 8) != le16(end, 10);
    let mut limit = end_offset;
    if directory.entries == 0xffff
        || directory.bytes == 0xffff_ffff
        || directory.offset == 0xffff_ffff
    {
        let locator_offset = end_offset
            .checked_sub(END64_LOCATOR_BYTES)
            .ok_or(broken("its zip64 locator is missing"))?;
        reader
            .seek(SeekFrom::Start(locator_offset))
            .map_err(|e| failed(&e))?;
        let mut locator = [0; END64_LOCATOR_BYTES as usize];
        reader.read_exact(&mut locator).map_err(|e| failed(&e))?;
        if &locator[..4] != b"PK\x06\x07" {
            return Err(broken("its zip64 locator is missing"));
        }
        let offset = le64(&locator, 8);
        if offset.saturating_add(END64_BYTES as u64) > locator_offset {
            return Err(broken("its zip64 end record lies outside the archive"));
        }
        reader
            .seek(SeekFrom::Start(offset))
            .map_err(|e| failed(&e))?;
        let mut end64 = [0; END64_BYTES];
        reader.read_exact(&mut end64).map_err(|e| failed(&e))?;
        if &end64[..4] != b"PK\x06\x06" {
            return Err(broken("its zip64 end record has no signature"));
        }
        disks =
            le32(&end64, 16) != 0 || le32(&end64, 20) != 0 || le64(&end64, 24) != le64(&end64, 32);
        directory = Directory {
            entries: le64(&end64, 32),
            bytes: le64(&end64, 40),
            offset: le64(&end64, 48),
        };
        limit = offset;
    }
    if disks {
        return Err(broken("it is split over several disks"));
    }
    if directory.offset.saturating_add(directory.bytes) > limit {
        return Err(broken("its directory lies outside the archive"));
    }
    Ok(directory)
}

fn entry(head: &[u8], raw_name: &[u8], extra: &[u8]) -> Result<(String, Entry), ScanError> {
    let lossy = name::shown(&String::from_utf8_lossy(raw_name));
    let flags = le16(head, 8);
    let made_by_unix = le16(head, 4) >> 8 == 3;
    let mode = le32(head, 38) >> 16;
    // Bit 0: encrypted; bit 6: strongly; bit 13: the directory is masked.
    if flags & (1 | 1 << 6 | 1 << 13) != 0 {
        return Err(ScanError::Encrypted { file: lossy });
    }
    if made_by_unix && mode & 0o17_0000 == 0o12_0000 {
        return Err(ScanError::Symlink { file: lossy });
    }
    if made_by_unix && !matches!(mode & 0o17_0000, 0 | 0o10_0000 | 0o04_0000) {
        return Err(ScanError::NotAFile { file: lossy });
    }
    let Ok(name) = std::str::from_utf8(raw_name) else {
        return Err(ScanError::BadName {
            file: lossy,
            reason: "is not Unicode",
        });
    };
    // A path that climbs is a bad name, a path that descends a nested file.
    let climbs = name.starts_with('/') || name.split(['/', '\\']).any(|part| part == "..");
    if name.contains('/') && !climbs {
        return Err(ScanError::Nested { file: lossy });
    }
    name::check(name)?;
    let deflated = match le16(head, 10) {
        0 => false,
        8 => true,
        got => return Err(ScanError::Compression { file: lossy, got }),
    };
    let mut sizes = [
        u64::from(le32(head, 24)),
        u64::from(le32(head, 20)),
        u64::from(le32(head, 42)),
    ];
    if sizes.contains(&0xffff_ffff) {
        let cut = || ScanError::ArchiveEntryBroken {
            file: lossy.clone(),
            reason: "its zip64 sizes are missing",
        };
        let mut field = zip64_field(extra).ok_or_else(cut)?;
        for size in &mut sizes {
            if *size == 0xffff_ffff {
                if field.len() < 8 {
                    return Err(cut());
                }
                *size = le64(field, 0);
                field = &field[8..];
            }
        }
    }
    let [bytes, packed_bytes, offset] = sizes;
    if !deflated && bytes != packed_bytes {
        return Err(ScanError::ArchiveEntryBroken {
            file: lossy,
            reason: "it is stored, but its two sizes differ",
        });
    }
    Ok((
        name.to_owned(),
        Entry {
            bytes,
            packed_bytes,
            offset,
            crc: le32(head, 16),
            deflated,
        },
    ))
}

fn zip64_field(mut extra: &[u8]) -> Option<&[u8]> {
    while extra.len() >= 4 {
        let (id, bytes) = (le16(extra, 0), usize::from(le16(extra, 2)));
        let field = extra.get(4..4 + bytes)?;
        if id == 1 {
            return Some(field);
        }
        extra = &extra[4 + bytes..];
    }
    None
}

impl<R: Read + Seek> BundleSource for Archive<R> {
    fn entries(&mut self, _: &Limits) -> Result<Vec<SourceEntry>, ScanError> {
        Ok(self
            .names
            .iter()
            .map(|name| SourceEntry {
                name: name.clone(),
                bytes: self.entries[name].bytes,
            })
            .collect())
    }

    fn read(&mut self, name: &str, max_bytes: u64) -> Result<Vec<u8>, ScanError> {
        let entry = self
            .entries
            .get(name)
            .ok_or_else(|| ScanError::FileMissing {
                file: name::shown(name),
            })?;
        let fault = |reason| ScanError::ArchiveEntryBroken {
            file: name::shown(name),
            reason,
        };
        if entry.bytes > max_bytes {
            return Err(ScanError::LongerThanDeclared {
                file: name::shown(name),
                declared_bytes: max_bytes,
            });
        }
        self.reader
            .seek(SeekFrom::Start(entry.offset))
            .map_err(|e| failed(&e))?;
        let mut local = [0; LOCAL_BYTES];
        self.reader.read_exact(&mut local).map_err(|e| failed(&e))?;
        if &local[..4] != b"PK\x03\x04" {
            return Err(fault("its local header has no signature"));
        }
        let data_offset = entry.offset
            + LOCAL_BYTES as u64
            + u64::from(le16(&local, 26))
            + u64::from(le16(&local, 28));
        if data_offset.saturating_add(entry.packed_bytes) > self.directory_offset {
            return Err(fault("its data lies outside the archive"));
        }
        self.reader
            .seek(SeekFrom::Start(data_offset))
            .map_err(|e| failed(&e))?;
        if entry.bytes / MAX_RATIO > entry.packed_bytes {
            return Err(fault("it declares more than its data can unpack to"));
        }
        let mut packed = (&mut self.reader).take(entry.packed_bytes);
        // One byte beyond the declared size tells a liar.
        let cap = entry.bytes + 1;
        let mut bytes = Vec::with_capacity(usize::try_from(entry.bytes).unwrap_or(0));
        let read = if entry.deflated {
            DeflateDecoder::new(packed)
                .take(cap)
                .read_to_end(&mut bytes)
        } else {
            packed.read_to_end(&mut bytes)
        };
        read.map_err(|e| match e.kind() {
            ErrorKind::InvalidData | ErrorKind::InvalidInput | ErrorKind::UnexpectedEof => {
                fault("its data cannot be unpacked")
            }
            _ => failed(&e),
        })?;
        if bytes.len() as u64 > entry.bytes {
            return Err(ScanError::LongerThanDeclared {
                file: name::shown(name),
                declared_bytes: entry.bytes,
            });
        }
        if (bytes.len() as u64) < entry.bytes {
            return Err(fault("it is shorter than it declares"));
        }
        let mut crc = Crc::new();
        crc.update(&bytes);
        if crc.sum() != entry.crc {
            return Err(fault("its checksum is wrong"));
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use zip::write::{SimpleFileOptions, ZipWriter};

    use super::*;

    fn zipped(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (i, (name, bytes)) in files.iter().enumerate() {
            let method = if i % 2 == 0 {
                zip::CompressionMethod::Deflated
            } else {
                zip::CompressionMethod::Stored
            };
            let options = SimpleFileOptions::default()
                .compression_method(method)
                .large_file(i == 1);
            zip.start_file(*name, options).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    fn open(bytes: &[u8]) -> Result<Archive<Cursor<&[u8]>>, ScanError> {
        Archive::open(Cursor::new(bytes), &Limits::default())
    }

    fn place(bytes: &[u8], pattern: &[u8]) -> usize {
        bytes
            .windows(pattern.len())
            .rposition(|w| w == pattern)
            .unwrap()
    }

    #[test]
    fn stored_deflated_and_zip64_entries_come_back() {
        let long = vec![7_u8; 100_000];
        let bytes = zipped(&[("a.bin", &long), ("b.bin", b"hello"), ("c", b"")]);
        let mut archive = open(&bytes).unwrap();
        let names: Vec<String> = archive
            .entries(&Limits::default())
            .unwrap()
            .into_iter()
            .map(|e| format!("{} {}", e.name, e.bytes))
            .collect();
        assert_eq!(names, ["a.bin 100000", "b.bin 5", "c 0"]);
        assert_eq!(archive.read("a.bin", 100_000).unwrap(), long);
        assert_eq!(archive.read("b.bin", 5).unwrap(), b"hello");
        assert_eq!(archive.read("c", 0).unwrap(), b"");
        assert!(matches!(
            archive.read("a.bin", 99_999),
            Err(ScanError::LongerThanDeclared { .. })
        ));
        // Bytes before or after the archive proper change nothing or are told.
        let mut padded = bytes.clone();
        padded.extend([0; 100]);
        assert_eq!(open(&padded).unwrap().read("b.bin", 5).unwrap(), b"hello");
    }

    /// A bomb lies about its size, or is too large by what it declares.
    #[test]
    fn bombs_cost_no_memory() {
        let zeros = vec![0; 8 << 20];
        let bytes = zipped(&[("bomb", &zeros)]);
        assert!(bytes.len() < 20_000);
        let tight = Limits {
            unpacked_bytes: 1 << 20,
            ..Limits::default()
        };
        assert_eq!(
            Archive::open(Cursor::new(&bytes), &tight).map(|_| ()),
            Err(ScanError::UnpackedTooLarge {
                limit_bytes: 1 << 20,
                got_bytes: 8 << 20
            })
        );
        // The directory says 1000 bytes; the data would be eight million.
        let mut liar = bytes.clone();
        let at = place(&liar, b"PK\x01\x02") + 24;
        liar[at..at + 4].copy_from_slice(&1000_u32.to_le_bytes());
        assert_eq!(
            open(&liar).unwrap().read("bomb", 1000),
            Err(ScanError::LongerThanDeclared {
                file: "bomb".into(),
                declared_bytes: 1000
            })
        );
        // It says 400 million; the data cannot be that.
        let mut liar = bytes;
        liar[at..at + 4].copy_from_slice(&400_000_000_u32.to_le_bytes());
        assert!(matches!(
            open(&liar).unwrap().read("bomb", 400_000_000),
            Err(ScanError::ArchiveEntryBroken { .. })
        ));
    }

    #[test]
    fn a_false_count_is_refused_before_the_directory_is_read() {
        let mut bytes = zipped(&[("a", b"1")]);
        let at = place(&bytes, b"PK\x05\x06");
        for field in [8, 10] {
            bytes[at + field..at + field + 2].copy_from_slice(&60_000_u16.to_le_bytes());
        }
        assert_eq!(
            open(&bytes).map(|_| ()),
            Err(ScanError::TooManyFiles {
                limit: 512,
                got: 59_999
            })
        );
    }

    #[test]
    fn paths_links_and_doubles_are_refused() {
        let of = |name: &str| open(&zipped(&[(name, b"x")])).map(|_| ());
        for climbing in ["../a", "a/../../b", "/etc/passwd", "..\\a"] {
            assert!(
                matches!(of(climbing), Err(ScanError::BadName { .. })),
                "{climbing}"
            );
        }
        assert!(matches!(of("sub/a"), Err(ScanError::Nested { .. })));
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        zip.add_symlink("link", "/etc/passwd", SimpleFileOptions::default())
            .unwrap();
        let bytes = zip.finish().unwrap().into_inner();
        assert_eq!(
            open(&bytes).map(|_| ()),
            Err(ScanError::Symlink {
                file: "link".into()
            })
        );
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        zip.add_directory("sub", SimpleFileOptions::default())
            .unwrap();
        let bytes = zip.finish().unwrap().into_inner();
        assert!(matches!(open(&bytes), Err(ScanError::Nested { .. })));
        // Two names of one length, one overwritten with the other.
        let mut bytes = zipped(&[("a1", b"x"), ("a2", b"y")]);
        let at = place(&bytes, b"a2");
        bytes[at + 1] = b'1';
        assert_eq!(
            open(&bytes).map(|_| ()),
            Err(ScanError::DuplicateName { file: "a1".into() })
        );
    }

    #[test]
    fn encrypted_and_exotic_entries_are_refused() {
        let bytes = zipped(&[("a", b"x")]);
        let at = place(&bytes, b"PK\x01\x02");
        let mut encrypted = bytes.clone();
        encrypted[at + 8] |= 1;
        assert_eq!(
            open(&encrypted).map(|_| ()),
            Err(ScanError::Encrypted { file: "a".into() })
        );
        let mut exotic = bytes.clone();
        exotic[at + 10] = 93;
        assert_eq!(
            open(&exotic).map(|_| ()),
            Err(ScanError::Compression {
                file: "a".into(),
                got: 93
            })
        );
        let mut damaged = zipped(&[("a", b"hello hello hello hello")]);
        damaged[at - 3] ^= 0x10;
        assert!(matches!(
            open(&damaged).and_then(|mut a| a.read("a", 1000)),
            Err(ScanError::ArchiveEntryBroken { .. })
        ));
    }

    #[test]
    fn every_cut_and_every_flipped_bit_ends_in_an_answer() {
        let bytes = zipped(&[("a.txt", b"hello hello hello"), ("b.txt", b"world")]);
        let run = |bytes: &[u8]| {
            if let Ok(mut archive) = open(bytes) {
                for entry in archive.entries(&Limits::default()).unwrap() {
                    let _ = archive.read(&entry.name, entry.bytes);
                }
            }
        };
        for end in 0..bytes.len() {
            assert!(open(&bytes[..end]).is_err());
        }
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[at] ^= 1 << bit;
                run(&changed);
            }
        }
    }
}
