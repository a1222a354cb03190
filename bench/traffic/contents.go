package traffic

import "strconv"

// usersPerOrganization is the size of an organization.
const usersPerOrganization = 20

// context appends where a message was sent from, and traits of the user for some messages.
func (w *Writer) context(b []byte, k *kind, user uint64) []byte {
	if k.server {
		b = append(b, `,"context":{"library":{"name":"analytics-node","version":"2.1.3"}`...)
	} else {
		at := w.random.IntN(len(pages))
		b = append(b, `,"context":{"ip":"203.0.113.`...)
		b = strconv.AppendInt(b, int64(w.random.IntN(256)), 10)
		b = append(b, `","locale":"en-US","timezone":"Europe/Berlin","library":{"name":"analytics.js","version":"next-1.70.0"}`...)
		b = text(b, "userAgent", oneOf(w.random, agents))
		b = append(b, `,"page":{"path":"`...)
		b = append(append(b, pages[at]...), '"')
		b = text(b, "title", titles[at])
		b = append(b, `,"url":"https://shop.example.com`...)
		b = append(b, pages[at]...)
		b = append(b, `"},"userAgentData":{"brands":[{"brand":"Chromium","version":"126"},{"brand":"Not.A/Brand","version":"24"}],"mobile":false,"platform":"macOS"}`...)
	}
	if w.random.IntN(10) < 4 {
		b = append(b, `,"traits":{`...)
		b = append(w.person(b, user), '}')
	}
	if w.random.IntN(2) == 0 {
		b = append(b, `,"groupId":"org_`...)
		b = append(strconv.AppendUint(b, user/usersPerOrganization, 10), '"')
	}
	return append(b, '}')
}

// person appends address and name, which are always the same for a user.
func (w *Writer) person(b []byte, user uint64) []byte {
	first, last := firstNames[user%8], lastNames[user/8%8]
	b = append(b, `"email":"user`...)
	b = strconv.AppendUint(b, user, 10)
	b = append(b, `@example.com","name":"`...)
	b = append(b, first...)
	b = append(b, ' ')
	b = append(b, last...)
	return append(b, '"')
}

func (w *Writer) properties(b []byte, k *kind, user uint64) []byte {
	switch k.shape {
	case identify:
		b = append(b, `,"traits":{`...)
		b = w.person(b, user)
		b = text(b, "plan", oneOf(w.random, plans))
		return append(b, '}')
	case group:
		b = append(b, `,"groupId":"org_`...)
		b = strconv.AppendUint(b, user/usersPerOrganization, 10)
		b = append(b, `","traits":{"name":"Organization `...)
		b = strconv.AppendUint(b, user/usersPerOrganization, 10)
		return append(b, `","employees":120}`...)
	}
	b = append(b, `,"properties":{"plan":"`...)
	b = append(b, oneOf(w.random, plans)...)
	b = append(b, '"')
	switch k.shape {
	case viewed:
		b = append(b, ',')
		b = w.good(b, 1)
	case order:
		b = w.order(b)
	case money:
		b = w.amount(b, "revenue")
	case feature:
		b = text(b, "feature", "conversation-summary")
		b = append(b, `,"enabled":true,"duration_ms":`...)
		b = strconv.AppendInt(b, int64(w.random.IntN(5000)), 10)
		b = text(b, "variant", "b")
	case page:
		b = text(b, "referrer", "https://www.google.com/")
		b = text(b, "search", "?utm_source=newsletter&utm_campaign=spring")
	}
	return append(b, '}')
}

func (w *Writer) order(b []byte) []byte {
	b = append(b, `,"order_id":"`...)
	b = append(hex(b, w.random.Uint64()), '"')
	b = w.amount(b, "revenue")
	b = append(b, `,"products":[`...)
	for i := range 1 + w.random.IntN(1+w.random.IntN(10)) {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '{')
		b = append(w.good(b, 1+w.random.IntN(3)), '}')
	}
	return append(b, ']')
}

func (w *Writer) good(b []byte, quantity int) []byte {
	b = append(b, `"product_id":"`...)
	b = append(strconv.AppendInt(b, int64(w.random.IntN(10_000)), 10), '"')
	b = text(b, "sku", "G-32")
	b = text(b, "name", oneOf(w.random, goods))
	b = w.amount(b, "price")
	b = append(b, `,"quantity":`...)
	return strconv.AppendInt(b, int64(quantity), 10)
}

// amount appends a price: mostly small and seldom large.
func (w *Writer) amount(b []byte, name string) []byte {
	cents := int64(500 * (1 + w.random.ExpFloat64()*10))
	b = append(b, ',', '"')
	b = append(b, name...)
	b = append(b, `":`...)
	b = strconv.AppendInt(b, cents/100, 10)
	b = append(b, '.', byte('0'+cents/10%10), byte('0'+cents%10))
	return text(b, "currency", oneOf(w.random, currencies))
}
