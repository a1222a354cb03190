package edge

import "bytes"

var segmentPrefix = []byte("/v1/segment/")

// segmentToken cuts the token out of a request's target as it was sent, and tells whether the path is
// the endpoint's at all: nothing but /v1/segment/{token}, without a slash behind it. The target is not
// decoded or cleaned up first: a token needs neither, and two spellings of one secret are one too many.
func segmentToken(target []byte) (token []byte, ok bool) {
	if i := bytes.IndexAny(target, "?#"); i >= 0 {
		target = target[:i]
	}
	token, ok = bytes.CutPrefix(target, segmentPrefix)
	if !ok || len(token) == 0 || bytes.IndexByte(token, '/') >= 0 {
		return nil, false
	}
	return token, true
}
