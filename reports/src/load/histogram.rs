//! Latencies as a histogram that keeps three digits over every order of magnitude, and fits in a line of a record.
//!
//! In a record it stands as [HdrHistogram](https://hdrhistogram.org)'s V2 encoding, deflated, in base64: every tool of that
//! family reads it. Values are microseconds.

use std::io::{Read, Write};
use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use flate2::{Compression, read::ZlibDecoder, write::ZlibEncoder};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _, ser::Error as _};

/// Decimal digits that are kept of a latency.
const DIGITS: u8 = 3;
/// `log2` of half the sub-buckets that three digits need: 2 × 10³ rounded up to a power of two, halved.
const HALF_SUB_BUCKETS_LOG2: u32 = 10;
/// What an encoded histogram begins with, and what a deflated one does.
const V2_COOKIE: u32 = 0x1c84_9303 | 0x10;
const V2_DEFLATED_COOKIE: u32 = 0x1c84_9304 | 0x10;
/// Cookie, length, normalizing offset, digits, lowest and highest value, ratio.
const HEADER_BYTES: usize = 40;
/// No histogram of latencies is larger; a record that claims so is refused before memory is asked for.
const LONGEST_ENCODED_BYTES: u64 = 4 * 1024 * 1024;

/// A histogram of latencies.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram(hdrhistogram::Histogram<u32>);

/// Why a text is no histogram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a histogram in the V2 encoding with three digits, deflated, in base64: {0}")]
pub struct NotAHistogram(&'static str);

impl Default for Histogram {
    fn default() -> Self {
        // Three digits and automatic growth are always accepted.
        #[allow(clippy::expect_used)]
        Self(hdrhistogram::Histogram::new(DIGITS).expect("three digits"))
    }
}

impl Histogram {
    /// Adds a latency; below a microsecond it counts as one.
    pub fn record(&mut self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX >> 1).clamp(1, u64::MAX >> 1);
        // Growth is automatic up to the largest value there is.
        let _ = self.0.record(micros);
    }

    /// Adds all latencies of another one.
    pub fn add(&mut self, other: &Self) {
        let _ = self.0.add(&other.0);
    }

    /// How many latencies it holds.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// The latency that this share of all latencies stays at or below, in milliseconds; nothing of none.
    #[must_use]
    pub fn quantile_ms(&self, quantile: f64) -> Option<f64> {
        (!self.0.is_empty()).then(|| self.0.value_at_quantile(quantile) as f64 / 1e3)
    }

    /// The largest latency in milliseconds; nothing of none.
    #[must_use]
    pub fn max_ms(&self) -> Option<f64> {
        (!self.0.is_empty()).then(|| self.0.max() as f64 / 1e3)
    }

    /// The mean in milliseconds; nothing of none.
    #[must_use]
    pub fn mean_ms(&self) -> Option<f64> {
        (!self.0.is_empty()).then(|| self.0.mean() / 1e3)
    }

    /// As it stands in a record.
    ///
    /// # Errors
    /// When deflating fails, which memory alone can cause.
    pub fn encode(&self) -> std::io::Result<String> {
        let mut counts = Vec::new();
        let last = self.0.iter_recorded().last().map_or(0, |bucket| index_of(bucket.value_iterated_to()) + 1);
        let mut by_index = vec![0_u32; last];
        for bucket in self.0.iter_recorded() {
            by_index[index_of(bucket.value_iterated_to())] = bucket.count_at_value();
        }
        write_counts(&by_index, &mut counts);
        let mut plain = Vec::with_capacity(HEADER_BYTES + counts.len());
        plain.extend(V2_COOKIE.to_be_bytes());
        plain.extend(u32::try_from(counts.len()).unwrap_or(u32::MAX).to_be_bytes());
        plain.extend(0_u32.to_be_bytes());
        plain.extend(u32::from(DIGITS).to_be_bytes());
        plain.extend(self.0.low().to_be_bytes());
        plain.extend(self.0.high().to_be_bytes());
        plain.extend(1.0_f64.to_be_bytes());
        plain.extend(counts);
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&plain)?;
        let deflated = encoder.finish()?;
        let mut bytes = V2_DEFLATED_COOKIE.to_be_bytes().to_vec();
        bytes.extend(u32::try_from(deflated.len()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend(deflated);
        Ok(STANDARD.encode(bytes))
    }

    /// From what stands in a record.
    ///
    /// # Errors
    /// When it is something else.
    pub fn decode(text: &str) -> Result<Self, NotAHistogram> {
        let bytes = STANDARD.decode(text).map_err(|_| NotAHistogram("the base64"))?;
        let (head, deflated) = bytes.split_at_checked(8).ok_or(NotAHistogram("the length"))?;
        if head[..4] != V2_DEFLATED_COOKIE.to_be_bytes() {
            return Err(NotAHistogram("the first cookie"));
        }
        let mut plain = Vec::new();
        ZlibDecoder::new(deflated)
            .take(LONGEST_ENCODED_BYTES)
            .read_to_end(&mut plain)
            .map_err(|_| NotAHistogram("the deflated bytes"))?;
        let (header, counts) = plain.split_at_checked(HEADER_BYTES).ok_or(NotAHistogram("the header"))?;
        if header[..4] != V2_COOKIE.to_be_bytes() || header[12..16] != u32::from(DIGITS).to_be_bytes() {
            return Err(NotAHistogram("the header"));
        }
        read_counts(counts)
    }
}

/// The place of a value among all counts: halves of sub-buckets, one after the other.
fn index_of(value: u64) -> usize {
    let bucket = (u64::BITS - HALF_SUB_BUCKETS_LOG2 - 1).saturating_sub((value | 1).leading_zeros());
    let sub_bucket = value >> bucket;
    (((u64::from(bucket) + 1) << HALF_SUB_BUCKETS_LOG2) + sub_bucket - (1 << HALF_SUB_BUCKETS_LOG2)) as usize
}

/// The lowest value of a place.
fn value_of(index: usize) -> Option<u64> {
    let half = 1_u64 << HALF_SUB_BUCKETS_LOG2;
    let index = index as u64;
    if index < 2 * half {
        return Some(index);
    }
    let bucket = (index >> HALF_SUB_BUCKETS_LOG2) - 1;
    let sub_bucket = (index & (half - 1)) + half;
    (bucket <= 52).then(|| sub_bucket << bucket)
}

/// Counts as signed numbers of variable length: a negative one stands for so many zeros.
fn write_counts(counts: &[u32], bytes: &mut Vec<u8>) {
    let mut zeros = 0_i64;
    for count in counts {
        if *count == 0 {
            zeros += 1;
            continue;
        }
        if zeros > 0 {
            write_number(-zeros, bytes);
            zeros = 0;
        }
        write_number(i64::from(*count), bytes);
    }
}

fn write_number(number: i64, bytes: &mut Vec<u8>) {
    let mut rest = ((number << 1) ^ (number >> 63)) as u64;
    // The ninth byte, where there is one, holds eight bits: the format's own variant of LEB128.
    for _ in 0..8 {
        if rest < 0x80 {
            return bytes.push(rest as u8);
        }
        bytes.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
}

fn read_counts(mut bytes: &[u8]) -> Result<Histogram, NotAHistogram> {
    let mut histogram = Histogram::default();
    let mut index = 0_usize;
    while !bytes.is_empty() {
        let number = read_number(&mut bytes).ok_or(NotAHistogram("a count"))?;
        if number < 0 {
            let zeros = usize::try_from(number.unsigned_abs()).map_err(|_| NotAHistogram("a count"))?;
            index = index.checked_add(zeros).ok_or(NotAHistogram("a count"))?;
        } else {
            let count = u32::try_from(number).map_err(|_| NotAHistogram("a count"))?;
            let value = value_of(index).ok_or(NotAHistogram("a value"))?;
            histogram.0.record_n(value, count).map_err(|_| NotAHistogram("a value"))?;
            index += 1;
        }
    }
    Ok(histogram)
}

fn read_number(bytes: &mut &[u8]) -> Option<i64> {
    let mut number = 0_u64;
    for place in 0..9 {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        let (bits, last) = if place == 8 { (*first, true) } else { (*first & 0x7f, *first < 0x80) };
        number |= u64::from(bits) << (7 * place);
        if last {
            break;
        }
    }
    Some((number >> 1) as i64 ^ -((number & 1) as i64))
}

impl Serialize for Histogram {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.encode().map_err(S::Error::custom)?)
    }
}

impl<'de> Deserialize<'de> for Histogram {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::decode(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn of(micros: &[u64]) -> Histogram {
        let mut histogram = Histogram::default();
        micros.iter().for_each(|micros| histogram.record(Duration::from_micros(*micros)));
        histogram
    }

    /// What the `hdrhistogram` crate's own serializer makes of the same latencies.
    #[rstest]
    #[case(&[], include_str!("histogram/empty.txt"))]
    #[case(&[1, 2, 3, 1_000, 2_047, 2_048, 2_049, 5_000, 5_000, 123_456, 60_000_000], include_str!("histogram/some.txt"))]
    fn other_tools_write_the_same(#[case] micros: &[u64], #[case] theirs: &str) {
        assert_eq!(Histogram::decode(theirs.trim()), Ok(of(micros)));
    }

    #[rstest]
    #[case("")]
    #[case("HISTFAAA")]
    #[case("no base64")]
    fn other_texts_are_refused(#[case] text: &str) {
        assert!(Histogram::decode(text).is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(micros in proptest::collection::vec(0_u64..600_000_000, 0..200)) {
            let histogram = of(&micros);
            let text = histogram.encode().expect("a text");
            prop_assert_eq!(Histogram::decode(&text), Ok(histogram));
        }

        #[test]
        fn a_sum_holds_the_latencies_of_both(
            one in proptest::collection::vec(0_u64..600_000_000, 0..100),
            other in proptest::collection::vec(0_u64..600_000_000, 0..100),
        ) {
            let mut sum = of(&one);
            sum.add(&of(&other));
            prop_assert_eq!(sum, of(&[one, other].concat()));
        }

        #[test]
        fn three_digits_are_kept(micros in 1_u64..600_000_000) {
            let read = of(&[micros]).quantile_ms(0.5).expect("a latency") * 1e3;
            prop_assert!((read - micros as f64).abs() <= micros as f64 * 1e-3, "{micros} became {read}");
        }
    }
}
