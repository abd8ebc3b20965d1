mod driver;
mod properties;
mod rules;
