package loader

import "context"

// supersede makes what comes of a replay win over what is stored of it, be that re-attributed: what a replay is for is
// that the mapping is another now. It is asked for whole chunks with a replayed record in them: of other records
// nothing is stored as a rule, and where something is, it loses or wins by the same right.
func (l *partitionWorker) supersede(c *insertBatch) error {
	f, ok := c.rowBuilder.(*eventBuilder)
	if !ok || !c.replayed || f.rows == nil || f.rows.Rows() == 0 {
		return nil
	}
	return l.retry("replay_lookup", func(ctx context.Context) (err error) {
		f.stored, err = l.service.lookup.Supersede(ctx, f.rows, l.Topic, l.ID)
		return err
	})
}
