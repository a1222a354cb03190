// Package consoletest tries the console as people use it: a real Chromium in front of the real "millrace up".
//
// Whatever a page does wrong fails the test that opened it: an error on its console, an exception that nobody caught, a violation of the
// Content-Security-Policy, a request that failed or left this machine, a dialog that nobody expected.
//
//	main_test.go      the flags, and what all tests share
//	millrace_test.go  millrace up, on free ports
//	browser_test.go   Chromium
//	page_test.go      a page in it, and what it complains of
//	watch_test.go     how that is noticed
//	hands_test.go     clicking, typing, waiting for a text
//	looks_test.go     light and dark, wide and narrow: accessibility, width, pictures for docs/images
//	axe_test.go       axe-core, which looks for what people cannot see, read or reach
//	npm_test.go       npm's packages, by their lock
//	assets_test.go    the console's scripts: what npm gives, and working under a strict policy
//	controls_test.go  pages of our own with one fault each, which has to be noticed
//	up_test.go        millrace up in the browser
//
// "go test -run NAME . -update" writes the pictures of those tests anew, and "make assets" the scripts.
package consoletest
