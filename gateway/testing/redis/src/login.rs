//! Users of a server, and how URLs contain them.

/// A user and a password. Both have only letters and digits, so that they need no encoding in a URL.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// Name of the user.
    pub user: String,
    /// Password of the user.
    pub password: String,
}

impl Login {
    /// Makes a login from a name and a password.
    pub fn new(user: &str, password: &str) -> Self {
        Self { user: user.into(), password: password.into() }
    }

    /// The part of a URL before the host, including the `@`.
    pub fn of_url(&self) -> String {
        format!("{}:{}@", self.user, self.password)
    }

    /// The part of a URL after the path of a socket, including the `?`.
    pub fn of_socket(&self) -> String {
        format!("?user={}&pass={}", self.user, self.password)
    }
}
