//! Finds iterations over hash maps and sets in the syntax of one file.

use super::declared::{Declared, is_hash, is_hashed};
use std::collections::BTreeMap;
use syn::{
    Arm, Block, Expr, ExprCall, ExprClosure, ExprForLoop, ExprMethodCall, File, FnArg, GenericArgument, ImplItemFn, ItemFn, Local, Member,
    Pat, Signature,
    visit::{self, Visit},
};

/// One iteration over a hash map or set.
pub(super) struct Iteration {
    pub(super) line: usize,
    /// Name of the map or set.
    pub(super) name: String,
    /// How the code iterates: `for`, or the name of a method.
    pub(super) how: String,
}

/// Methods that visit elements in the map's order.
const ORDERED: [&str; 15] = [
    "iter",
    "iter_mut",
    "into_iter",
    "keys",
    "into_keys",
    "values",
    "values_mut",
    "into_values",
    "drain",
    "retain",
    "extract_if",
    "union",
    "difference",
    "intersection",
    "symmetric_difference",
];
/// Methods and functions that return the map that they get, for example borrowed or unwrapped.
const SAME: [&str; 12] =
    ["as_mut", "as_ref", "borrow", "borrow_mut", "clone", "expect", "get_mut", "lock", "read", "take", "unwrap", "write"];

/// Finds the iterations over hash maps and sets in a file. Knows the names in `declared`, and the file's own variables.
pub(super) fn iterations(file: &File, declared: &Declared) -> Vec<Iteration> {
    let mut walk = Walk { declared, scopes: Vec::new(), found: Vec::new() };
    walk.visit_file(file);
    walk.found
}

struct Walk<'a> {
    declared: &'a Declared,
    /// Variables of each block, from the outermost block to the innermost, and whether they are hash maps.
    scopes: Vec<BTreeMap<String, bool>>,
    found: Vec<Iteration>,
}

impl Walk<'_> {
    fn check(&mut self, map: &Expr, line: usize, how: &str) {
        if let Some(name) = self.hashed(map) {
            self.found.push(Iteration { line, name, how: how.to_owned() });
        }
    }

    /// The name of the hash map that an expression evaluates to. `None` if it evaluates to something else.
    fn hashed(&self, expr: &Expr) -> Option<String> {
        match expr {
            Expr::Reference(expr) => self.hashed(&expr.expr),
            Expr::Paren(expr) => self.hashed(&expr.expr),
            Expr::Unary(expr) => self.hashed(&expr.expr),
            Expr::Try(expr) => self.hashed(&expr.expr),
            Expr::Await(expr) => self.hashed(&expr.base),
            Expr::Field(field) => match &field.member {
                Member::Named(name) => Some(name.to_string()).filter(|name| self.declared.fields.contains(name)),
                Member::Unnamed(_) => None,
            },
            Expr::Path(path) => Some(path.path.get_ident()?.to_string()).filter(|name| self.is_hashed_variable(name)),
            Expr::MethodCall(call) => self.made_by_method(call),
            Expr::Call(call) => self.made_by_function(call),
            _ => None,
        }
    }

    fn made_by_method(&self, call: &ExprMethodCall) -> Option<String> {
        let name = call.method.to_string();
        let mut named = call.turbofish.iter().flat_map(|turbofish| &turbofish.args);
        if self.declared.makers.contains(&name) || named.any(|argument| matches!(argument, GenericArgument::Type(of) if is_hashed(of))) {
            return Some(format!("{name}()"));
        }
        if SAME.contains(&name.as_str()) { self.hashed(&call.receiver) } else { None }
    }

    fn made_by_function(&self, call: &ExprCall) -> Option<String> {
        let Expr::Path(function) = &*call.func else { return None };
        let segments = &function.path.segments;
        let name = segments.last()?.ident.to_string();
        if segments.iter().any(|segment| is_hash(&segment.ident)) || self.declared.makers.contains(&name) {
            return Some(format!("{name}()"));
        }
        if SAME.contains(&name.as_str()) { self.hashed(call.args.first()?) } else { None }
    }

    fn is_hashed_variable(&self, name: &str) -> bool {
        self.scopes.iter().rev().find_map(|scope| scope.get(name)).is_some_and(|hashed| *hashed)
    }

    /// Adds the variables of a pattern to the innermost block, with the value that they get.
    fn bind(&mut self, pat: &Pat, value: Option<&Expr>) {
        match (pat, value) {
            (Pat::Type(typed), _) => {
                let hashed = is_hashed(&typed.ty);
                self.bind_names(&typed.pat, hashed);
            }
            (Pat::Tuple(names), Some(Expr::Tuple(values))) => {
                for (name, value) in names.elems.iter().zip(&values.elems) {
                    self.bind(name, Some(value));
                }
            }
            (Pat::TupleStruct(of), _) => {
                let hashed = of.path.segments.last().is_some_and(|last| self.declared.variants.contains(&last.ident.to_string()));
                of.elems.iter().for_each(|element| self.bind_names(element, hashed));
            }
            (_, value) => {
                // Only the type shows a fixed hasher. So a variable with the value `HashMap::default()` counts only if the code states its
                // type.
                let hashed = value.is_some_and(|value| self.hashed(value).is_some_and(|name| name != "default()"));
                self.bind_names(pat, hashed);
            }
        }
    }

    fn bind_names(&mut self, pat: &Pat, hashed: bool) {
        let mut names = Bound(Vec::new());
        names.visit_pat(pat);
        if let Some(scope) = self.scopes.last_mut() {
            scope.extend(names.0.into_iter().map(|name| (name, hashed)));
        }
    }

    fn scoped(&mut self, visit: impl FnOnce(&mut Self)) {
        self.scopes.push(BTreeMap::new());
        visit(self);
        self.scopes.pop();
    }

    fn arguments(&mut self, signature: &Signature) {
        for argument in &signature.inputs {
            if let FnArg::Typed(argument) = argument {
                let hashed = is_hashed(&argument.ty);
                self.bind_names(&argument.pat, hashed);
            }
        }
    }
}

impl<'ast> Visit<'ast> for Walk<'_> {
    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        self.scoped(|this| {
            this.arguments(&item.sig);
            visit::visit_item_fn(this, item);
        });
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        self.scoped(|this| {
            this.arguments(&item.sig);
            visit::visit_impl_item_fn(this, item);
        });
    }

    fn visit_block(&mut self, block: &'ast Block) {
        self.scoped(|this| visit::visit_block(this, block));
    }

    fn visit_arm(&mut self, arm: &'ast Arm) {
        self.scoped(|this| {
            this.bind(&arm.pat, None);
            visit::visit_arm(this, arm);
        });
    }

    fn visit_expr_closure(&mut self, closure: &'ast ExprClosure) {
        self.scoped(|this| {
            closure.inputs.iter().for_each(|input| this.bind(input, None));
            visit::visit_expr_closure(this, closure);
        });
    }

    fn visit_local(&mut self, local: &'ast Local) {
        visit::visit_local(self, local);
        self.bind(&local.pat, local.init.as_ref().map(|init| &*init.expr));
    }

    fn visit_expr_for_loop(&mut self, expr: &'ast ExprForLoop) {
        self.check(&expr.expr, expr.for_token.span.start().line, "for");
        self.scoped(|this| {
            this.bind(&expr.pat, None);
            visit::visit_expr_for_loop(this, expr);
        });
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        let (method, line) = (call.method.to_string(), call.method.span().start().line);
        if ORDERED.contains(&method.as_str()) {
            self.check(&call.receiver, line, &method);
        }
        if let ("extend", Some(from)) = (method.as_str(), call.args.first()) {
            self.check(from, line, "extend");
        }
        visit::visit_expr_method_call(self, call);
    }
}

/// Collects the names that a pattern binds.
struct Bound(Vec<String>);

impl<'ast> Visit<'ast> for Bound {
    fn visit_pat(&mut self, pat: &'ast Pat) {
        if let Pat::Ident(pat) = pat {
            self.0.push(pat.ident.to_string());
        }
        visit::visit_pat(self, pat);
    }
}
