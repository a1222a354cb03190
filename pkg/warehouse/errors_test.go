package warehouse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
	"github.com/stretchr/testify/require"
)

// What ClickHouse says when it is in trouble blames no row; nor does a connection that breaks.
func TestRejectedRows_ServerErrors_AreNotRejections(t *testing.T) {
	for _, code := range []proto.Error{
		proto.ErrMemoryLimitExceeded, proto.ErrTooManyParts, proto.ErrReadonly, proto.ErrTableIsReadOnly, proto.ErrQuotaExpired,
		proto.ErrNotEnoughSpace, proto.ErrTimeoutExceeded, proto.ErrNetworkError, proto.ErrSocketTimeout, proto.ErrUnknownTable,
		proto.ErrUnknownDatabase, proto.ErrNoSuchColumnInTable, proto.ErrTypeMismatch, proto.ErrThereIsNoColumn, proto.ErrAuthenticationFailed,
		proto.ErrAccessDenied, proto.ErrTooManySimultaneousQueries, proto.ErrAborted, proto.ErrKeeperException, proto.ErrQueryWasCancelled,
		proto.ErrCannotWriteToFileDescriptor, proto.ErrNoZookeeper, proto.ErrUnknownStatusOfInsert,
	} {
		_, refused := RejectedRows(fmt.Errorf("insert: %w", &ch.Exception{Code: code}))
		require.False(t, refused, code.String())
	}
	for _, err := range []error{nil, io.EOF, context.DeadlineExceeded, errors.New("broken pipe")} {
		_, refused := RejectedRows(err)
		require.False(t, refused)
	}
	for code := range rowErrors {
		why, refused := RejectedRows(fmt.Errorf("insert: %w", &ch.Exception{Code: code}))
		require.True(t, refused, code.String())
		require.NotEmpty(t, why)
	}
}
