use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{ARGON2ID_IDENT, Algorithm, Argon2, Block, Params, Version};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::hasher::HashError;
use super::password::normal_form;
use super::random::random;
use crate::config;
use crate::domain::Password;

/// argon2id at the configured cost, in memory that is used again and again.
pub(super) struct Argon {
    cost: Params,
    blocks: Vec<Block>,
}

impl Argon {
    pub(super) const fn new(cost: Params) -> Self {
        Self {
            cost,
            blocks: Vec::new(),
        }
    }

    /// The PHC string of a new hash.
    pub(super) fn hash(&mut self, password: &Password) -> Result<String, HashError> {
        let text = normal_form(password).ok_or(HashError::TooLong)?;
        let salt: [u8; SALT_BYTES] = random()?;
        let mut output = [0; OUTPUT_BYTES];
        let cost = self.cost.clone();
        self.run(&cost, &text, &salt, &mut output)?;
        let written = || {
            Some(PasswordHash {
                algorithm: ARGON2ID_IDENT,
                version: Some(Version::V0x13.into()),
                params: ParamsString::try_from(&cost).ok()?,
                salt: Some(Salt::new(&salt).ok()?),
                hash: Some(Output::new(&output).ok()?),
            })
        };
        let hash = written().ok_or(HashError::Cost)?;
        Ok(hash.to_string())
    }

    /// Whether `stored` is a hash of `password`. A missing or unreadable one, and a password that is
    /// too long, cost the same work as a wrong one.
    pub(super) fn verify(
        &mut self,
        password: &Password,
        stored: Option<&str>,
    ) -> Result<bool, HashError> {
        let text = normal_form(password);
        let hash = stored.and_then(|phc| Stored::read(phc, &self.cost));
        if stored.is_some() && hash.is_none() {
            tracing::error!("stored password hash unreadable or too dear; reset the password");
        }
        let is_possible = text.is_some() && hash.is_some();
        let text = text.unwrap_or_default();
        let hash = hash.unwrap_or_else(|| Stored::dummy(&self.cost));
        let mut buffer = Zeroizing::new([0; Output::MAX_LENGTH]);
        let output = buffer.get_mut(..hash.output.len()).ok_or(HashError::Cost)?;
        self.run(&hash.cost, &text, &hash.salt, output)?;
        let is_equal = bool::from(output.ct_eq(&hash.output));
        self.make_up_for(&hash.cost)?;
        Ok(is_possible && is_equal)
    }

    /// Does what a hash of lower cost left undone, so that an account whose password was hashed
    /// before the cost was raised answers as late as one that does not exist.
    fn make_up_for(&mut self, done: &Params) -> Result<(), HashError> {
        let Some(rest) = rest_of(&self.cost, done) else {
            return Ok(());
        };
        let mut output = [0; OUTPUT_BYTES];
        self.run(&rest, "", &[0; SALT_BYTES], &mut output)
    }

    fn run(
        &mut self,
        cost: &Params,
        text: &str,
        salt: &[u8],
        output: &mut [u8],
    ) -> Result<(), HashError> {
        let needed = cost.block_count();
        if let Some(more) = needed.checked_sub(self.blocks.len()) {
            let reserved = self.blocks.try_reserve_exact(more);
            reserved.map_err(|_| HashError::Memory)?;
            self.blocks.resize(needed, Block::new());
        }
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, cost.clone());
        let blocks = self.blocks.as_mut_slice();
        let done = argon2.hash_password_into_with_memory(text.as_bytes(), salt, output, blocks);
        // What one dear hash needed is not kept for the usual ones.
        self.blocks.truncate(self.cost.block_count());
        self.blocks.shrink_to_fit();
        done.map_err(|_| HashError::Cost)
    }
}

/// The cost that the operator chose. What argon2 cannot do becomes the nearest that it can.
pub(super) fn cost_of(passwords: &config::Passwords) -> Params {
    let memory = u32::try_from(passwords.memory / 1024).unwrap_or(u32::MAX);
    let memory = memory.max(Params::MIN_M_COST);
    let rounds = passwords.iterations.max(Params::MIN_T_COST);
    Params::new(memory, rounds, 1, Some(OUTPUT_BYTES)).unwrap_or_default()
}

/// Whether a new hash would be another kind than `phc`: dearer, cheaper, or readable.
pub(super) fn is_outdated(phc: &str, cost: &Params) -> bool {
    Stored::read(phc, cost)
        .is_none_or(|stored| stored.cost != *cost || stored.salt.len() != SALT_BYTES)
}

/// A hash as it was read from a record.
struct Stored {
    cost: Params,
    salt: Vec<u8>,
    output: Vec<u8>,
}

impl Stored {
    /// Reads a PHC string of argon2id whose cost is bearable. The string comes from the store, which
    /// an import or another program may have written.
    fn read(phc: &str, configured: &Params) -> Option<Self> {
        let hash = PasswordHash::new(phc).ok()?;
        if hash.algorithm != ARGON2ID_IDENT || hash.version != Some(Version::V0x13.into()) {
            return None;
        }
        let cost = Params::try_from(&hash).ok()?;
        let is_bearable = cost.m_cost() <= MAX_MEMORY_KIB.max(configured.m_cost())
            && cost.t_cost() <= MAX_ROUNDS.max(configured.t_cost())
            && cost.p_cost() <= MAX_LANES
            && cost.keyid().is_empty()
            && cost.data().is_empty();
        is_bearable.then_some(())?;
        Some(Self {
            cost,
            salt: hash.salt?.to_vec(),
            output: hash.hash?.as_bytes().to_vec(),
        })
    }

    /// A hash of the configured cost that no password has.
    fn dummy(cost: &Params) -> Self {
        Self {
            cost: cost.clone(),
            salt: vec![0; SALT_BYTES],
            output: vec![0; OUTPUT_BYTES],
        }
    }
}

/// The cost that is left of `whole` when `done` was done, unless it is less than argon2 can do.
fn rest_of(whole: &Params, done: &Params) -> Option<Params> {
    let missing = work(whole).saturating_sub(work(done));
    let memory = u32::try_from(missing / u64::from(whole.t_cost())).ok()?;
    Params::new(memory, whole.t_cost(), 1, Some(OUTPUT_BYTES)).ok()
}

fn work(cost: &Params) -> u64 {
    u64::from(cost.m_cost()) * u64::from(cost.t_cost())
}

/// RFC 9106 §3.1.
const SALT_BYTES: usize = 16;
const OUTPUT_BYTES: usize = 32;
const MAX_MEMORY_KIB: u32 = 256 * 1024;
const MAX_ROUNDS: u32 = 16;
const MAX_LANES: u32 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(memory: u32, rounds: u32) -> Params {
        Params::new(memory, rounds, 1, Some(OUTPUT_BYTES)).unwrap()
    }

    #[test]
    fn an_older_cheaper_hash_costs_as_much_as_an_unknown_account() {
        let whole = cost(19 * 1024, 2);
        for done in [cost(19 * 1024, 1), cost(4096, 3), cost(8, 1)] {
            let rest = rest_of(&whole, &done).unwrap();
            let total = work(&done) + work(&rest);
            assert!(total.abs_diff(work(&whole)) <= 2, "{done:?}");
            assert!(rest.block_count() <= whole.block_count());
        }
        assert_eq!(rest_of(&whole, &whole), None);
        assert_eq!(rest_of(&whole, &cost(64 * 1024, 3)), None);
    }

    #[test]
    fn memory_is_taken_once_and_what_a_dear_hash_took_is_given_back() {
        let password = Password::new("correct horse".to_owned());
        let dear = Argon::new(cost(512, 1)).hash(&password).unwrap();
        let mut argon = Argon::new(cost(64, 2));
        assert_eq!(argon.blocks.capacity(), 0, "an idle thread holds nothing");

        let own = argon.hash(&password).unwrap();
        let first = argon.blocks.as_ptr();
        assert!(argon.verify(&password, Some(&own)).unwrap());
        assert!(!argon.verify(&password, None).unwrap());
        assert_eq!(argon.blocks.as_ptr(), first);

        assert!(argon.verify(&password, Some(&dear)).unwrap());
        assert_eq!(argon.blocks.capacity(), 64);
    }

    #[test]
    fn the_hash_of_another_program_is_understood() {
        // `echo -n password | argon2 somesalt -id -t 2 -m 16 -p 1`, from the reference's own tests.
        let stored = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        let mut argon = Argon::new(cost(64, 2));
        let password = Password::new("password".to_owned());
        assert!(argon.verify(&password, Some(stored)).unwrap());
    }
}
