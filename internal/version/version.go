// Package version says which Nightlatch this is. It is a constant in the source and not the commit, so that a commit that changes nothing
// of a function does not change its code either, which would make every commit a deployment.
package version

// Release is the version, as https://semver.org counts: the command prints it, the stack's outputs show it, and a record keeps it.
const Release = "0.9.0"
