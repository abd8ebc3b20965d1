//! Users of servers.

/// A user and a password, as URLs have them: letters and digits only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The user's name.
    pub user: String,
    /// The password.
    pub password: String,
}

impl Login {
    /// A user with this password.
    pub fn new(user: &str, password: &str) -> Self {
        Self { user: user.into(), password: password.into() }
    }

    /// The part of a URL ahead of the host, with its `@`.
    pub fn of_url(&self) -> String {
        format!("{}:{}@", self.user, self.password)
    }

    /// The part of a URL behind the path of a socket, with its `?`.
    pub fn of_socket(&self) -> String {
        format!("?user={}&pass={}", self.user, self.password)
    }
}
