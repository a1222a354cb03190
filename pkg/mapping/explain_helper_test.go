package mapping

// explainer explains events of one provider.
type explainer struct {
	provider string
	name     string // the member without which there may be no event
}

var (
	ofSegment = explainer{ProviderSegment, "event"}
	ofAPI     = explainer{ProviderAPI, "eventType"}
)

func (x *explainer) mapOnly(message *Message) (Event, error) {
	var r Result
	err := new(Mapper).MapRecord([]byte(KindEvent), []byte(x.provider), message, &r)
	return r.Event, err
}

func (x *explainer) explain(message *Message) ([]Explained, Event, error) {
	m := NewExplainer()
	var r Result
	if err := m.MapRecord([]byte(KindEvent), []byte(x.provider), message, &r); err != nil {
		return nil, Event{}, err
	}
	return m.Explain(&r.Event), r.Event, nil
}
