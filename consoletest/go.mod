// The console is tried in a real browser by a module of its own, so that what drives the browser weighs on nothing else.
module github.com/millrace/millrace/consoletest

go 1.26.7
