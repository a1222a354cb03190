// Package assets embeds the console's scripts and style sheets. File names contain a hash of the content: browsers may
// cache them forever, and the console works without a network.
//
//	assets.go     paths and handler of the files
//	console.css   our style sheet
//	console.js    our script
//	npm           files of npm packages with their licences, under their paths in node_modules
//
// package.json has the versions of the npm packages, package-lock.json their hashes. To update one, change
// package.json, run "npm install --package-lock-only" here and "make assets"; "make test-console" compares the files
// with the lock.
package assets
