//! The Internet checksum (RFC 1071), updated by a difference (RFC 1624), never computed over a payload.
//!
//! Sums are of words in memory order: a ones' complement sum comes out right in either byte order
//! (RFC 1071 section 2 B), so no word is swapped.

/// An unfolded ones' complement sum. Holds over 2^31 32-bit words before it could overflow.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Sum(u64);

impl Sum {
    /// The empty sum.
    pub const ZERO: Self = Self(0);

    /// With one more 16-bit word, in memory order.
    #[inline(always)]
    #[must_use]
    pub const fn add16(self, word: u16) -> Self {
        Self(self.0 + word as u64)
    }

    /// With one more 32-bit word, in memory order.
    #[inline(always)]
    #[must_use]
    pub const fn add32(self, word: u32) -> Self {
        Self(self.0 + word as u64)
    }

    /// With one more 64-bit word, in memory order.
    #[inline(always)]
    #[must_use]
    pub const fn add64(self, word: u64) -> Self {
        Self(self.0 + (word & 0xffff_ffff) + (word >> 32))
    }

    /// Folded to 16 bits: two steps from 64 to 32 and two from 32 to 16 always suffice, and leave
    /// the verifier no loop to follow.
    #[inline(always)]
    #[must_use]
    pub const fn fold(self) -> u16 {
        let sum = (self.0 & 0xffff_ffff) + (self.0 >> 32);
        let sum = (sum & 0xffff) + ((sum >> 16) & 0xffff) + (sum >> 32);
        let sum = (sum & 0xffff) + (sum >> 16);
        let sum = (sum & 0xffff) + (sum >> 16);
        sum as u16
    }

    /// The checksum field for what was summed: the complement of the folded sum.
    #[inline(always)]
    #[must_use]
    pub const fn checksum(self) -> u16 {
        !self.fold()
    }

    /// What must be added to a sum over `old` to make it one over `self` (RFC 1624's `~m + m'`).
    #[inline(always)]
    #[must_use]
    pub const fn minus(self, old: Self) -> Delta {
        Delta(!old.fold() as u32 + self.fold() as u32)
    }
}

/// A difference to apply to a checksum field.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Delta(u32);

impl Delta {
    /// RFC 1624 equation 3: `HC' = ~(~HC + ~m + m')`, both fields in memory order.
    #[inline(always)]
    #[must_use]
    pub const fn apply(self, checksum: u16) -> u16 {
        Sum(!checksum as u64 + self.0 as u64).checksum()
    }

    /// The field of a TCP header. 0xffff, which no sender computes, is kept as it is, so that the
    /// far end restores exactly what was sent.
    #[inline(always)]
    #[must_use]
    pub const fn apply_tcp(self, checksum: u16) -> u16 {
        if checksum == 0xffff {
            checksum
        } else {
            self.apply(checksum)
        }
    }

    /// The field of a UDP header: 0 means that there is none and stays 0; a sum of zero is written
    /// as 0xffff (RFC 768).
    #[inline(always)]
    #[must_use]
    pub const fn apply_udp(self, checksum: u16) -> u16 {
        if checksum == 0 {
            return 0;
        }
        let updated = self.apply(checksum);
        if updated == 0 { 0xffff } else { updated }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn slow_fold(words: &[u16]) -> u16 {
        words.iter().fold(0u32, |sum, &word| {
            let sum = sum + u32::from(word);
            (sum & 0xffff) + (sum >> 16)
        }) as u16
    }

    proptest! {
        #[test]
        fn folds_as_the_definition_says(words in proptest::collection::vec(any::<u16>(), 0..64)) {
            let sum = words.iter().fold(Sum::ZERO, |sum, &word| sum.add16(word));
            prop_assert_eq!(sum.fold(), slow_fold(&words));
        }

        #[test]
        fn a_wide_word_is_its_halves(word: u64) {
            let halves = Sum::ZERO.add32(word as u32).add32((word >> 32) as u32);
            prop_assert_eq!(Sum::ZERO.add64(word).fold(), halves.fold());
        }

        #[test]
        fn there_and_back_is_what_it_was(checksum: u16, old: u64, new: u64) {
            prop_assume!(old != 0 && new != 0);
            let (old, new) = (Sum::ZERO.add64(old), Sum::ZERO.add64(new));
            let (there, back) = (new.minus(old), old.minus(new));
            prop_assert_eq!(back.apply_tcp(there.apply_tcp(checksum)), checksum);
            prop_assert_eq!(back.apply_udp(there.apply_udp(checksum)), checksum);
        }
    }

    #[test]
    fn udp_zero_is_no_checksum() {
        let delta = Sum::ZERO.add16(7).minus(Sum::ZERO.add16(9));
        assert_eq!(delta.apply_udp(0), 0);
    }
}
