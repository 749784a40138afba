//! The promises of the trait `Store`, for whatever implements it.
//!
//! [`contract`] makes a test of each. Time is an argument everywhere, so no test waits for it.

pub(crate) mod keys;
pub(crate) mod limits;
pub(crate) mod sessions;
pub(crate) mod sweeping;
pub(crate) mod users;

/// Tests of every promise on the stores that `$make` (a `&dyn Fn() -> Arc<dyn Store>`) makes: a test
/// each, or one test of all of them where what they need is dear to start.
macro_rules! contract {
    ($make:expr) => {
        $crate::suite::contract! { @promises each $make }
    };
    (in one test, $make:expr) => {
        $crate::suite::contract! { @promises one $make }
    };
    (@promises $how:ident $make:expr) => {
        $crate::suite::contract! { @$how $make;
            users: a_user_is_found_by_id_and_by_every_spelling_of_their_address;
            users: an_address_belongs_to_one_user;
            users: an_address_that_was_given_up_is_free_and_finds_nobody;
            users: an_id_is_taken_once;
            users: users_come_in_order_of_creation_page_by_page;
            users: an_update_needs_the_version_that_was_read;
            users: a_refused_update_changes_nothing;
            users: what_an_update_means_depends_on_what_it_changes;
            users: only_the_live_reset_token_finds_its_user;
            users: the_last_active_admin_stays;
            users: two_last_admins_who_demote_each_other_leave_one;
            users: of_two_updates_of_one_version_one_is_a_conflict;
            users: one_of_many_users_gets_the_address;
            users: a_deleted_user_is_gone_and_their_keys_are_tombstones;
            keys: a_key_is_found_by_digest_and_by_id;
            keys: a_key_needs_an_active_owner_at_the_epoch_given;
            keys: a_key_is_added_once;
            keys: only_working_keys_count_against_the_bound;
            keys: keys_made_at_once_stay_within_the_bound;
            keys: a_revoked_key_is_a_tombstone_and_the_first_moment_stands;
            keys: keys_come_oldest_first;
            keys: last_used_never_goes_back;
            sessions: a_session_shows_its_user_and_whether_it_was_revoked;
            sessions: an_address_is_known_for_30_days_after_the_last_log_in;
            limits: limits_are_taken_together_or_not_at_all;
            limits: a_limit_lets_a_burst_pass_and_then_one_in_each_span;
            limits: threads_share_one_limit;
            sweeping: tombstones_stand_for_30_days;
            sweeping: a_revoked_session_is_remembered_until_its_moment;
            sweeping: an_address_that_was_used_again_is_kept;
            sweeping: a_sweep_takes_everything_however_much_it_is;
            sweeping: a_sweep_leaves_what_lives;
        }
    };
    (@one $make:expr; $($module:ident: $promise:ident;)*) => {
        #[test]
        fn every_promise_is_kept() {
            let make = $make;
            $(
                println!(stringify!($promise));
                $crate::support::wait($crate::suite::$module::$promise(make));
            )*
        }
    };
    (@each $make:expr; $($module:ident: $promise:ident;)*) => {
        $(#[test]
        fn $promise() {
            $crate::support::wait($crate::suite::$module::$promise($make));
        })*
    };
}

pub(crate) use contract;
