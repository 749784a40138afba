//! Mails, sent behind the answer.
