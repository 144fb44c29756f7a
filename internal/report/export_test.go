package report

// What the tests of the page have of the other renderers' tests.
var Filled, Hostile, States, Printable = filled, hostile, states, printable

type Bar = bar
