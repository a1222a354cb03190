// Package console tries the console as people use it: a real Chromium in front of the real "millrace up".
//
// Whatever a page does wrong fails the test that opened it: an error on its console, an exception that nobody caught, a
// violation of the Content-Security-Policy, a request that failed or left this machine, a dialog that nobody expected.
//
//	main_test.go      the flags, and what all tests share
//	millrace_test.go  millrace up, on free ports: one for all tests, each of which has a product of its own
//	source_test.go    connections as their owners have them: posting to their URLs; asking ClickHouse what came of it
//	browser_test.go   Chromium
//	page_test.go      a page in it, and what it complains of
//	watch_test.go     how that is noticed
//	hands_test.go     clicking, typing, waiting for a text
//	looks_test.go     light and dark, wide and narrow: accessibility, width, pictures for docs/images
//	axe_test.go       axe-core, which looks for what people cannot see, read or reach
//	npm_test.go       npm's packages, by their lock
//	assets_test.go    the console's scripts: what npm gives, and working under a strict policy
//	controls_test.go  pages of our own with one fault each, which has to be noticed
//	setup_test.go     the way from "Connect a source" to the first event
//	outcome_test.go   and on into the plots
//	changes_test.go   pause, rotate and so on, and what the edge says then
//	leaks_test.go     no page and no stream has a secret, after the one that shows the URL
//	hostile_test.go   messages that would do something if a page took them for more than text
//	load_test.go      more than anybody can read; filters
//	replay_test.go    dead letters
//	whatif_test.go    the box that explains
//	console_test.go   a console of its own: the password, other sites' pages
//	keyboard_test.go  all of it without a mouse
//	pages_test.go     every page for everybody, and the docs' pictures
//	aday_test.go      what is seen in them: a day of a shop
//
// "go test -run NAME . -update" writes the pictures of those tests anew, and "make assets" the scripts.
package console
