// Package helmengine is Helm's template engine (helm.sh/helm/v4 v4.3.1, pkg/engine; Apache-2.0) with one
// change: the parsed templates are kept between renders. Helm parses every template at each render, which is
// most of a warm render's time, and exports nothing that would let a caller keep them.
//
// funcs.go and files.go are Helm's files, unchanged but for the package name; templates.go is its engine.go,
// without lint mode, lookup against a cluster and DNS, with a bound on what templates write and a short error
// for templates that include each other without end. A test compares the version above with go.mod's and both
// engines' output, so an upgrade of Helm cannot be forgotten here.
package helmengine
