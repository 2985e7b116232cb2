//! The client against servers on this host that answer from a script.

mod landing;
mod limits;
mod reading;
mod script;
mod writing;
