//! What operators see of it all, and what nobody sees.

mod access;
mod audit;
mod causes;
mod durability;
mod ends;
mod quiet;
mod secrets;
