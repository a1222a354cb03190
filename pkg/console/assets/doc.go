// Package assets has the console's scripts and style sheets in the binary, under names that change with their contents: a browser may
// keep them for ever, and the console works without a network.
//
//	assets.go     a name becomes a path, and a path becomes a file
//	console.css   ours
//	console.js    ours
//	npm           others', with their licences, under the paths they have in node_modules
//
// package.json says which versions of npm's packages are in npm, and package-lock.json their hashes. For another version change the first,
// have "npm install --package-lock-only" here make the second, and "make assets" the files; "make test-console" holds them to the lock.
package assets
