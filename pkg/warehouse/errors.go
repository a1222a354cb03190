package warehouse

import (
	"errors"
	"fmt"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/millrace/millrace/pkg/credential"
)

// refusals are the errors that blame the rows of a block, and not the server or the tables: sending the same rows
// again is of no use, sending others is. Everything else passes, or somebody mends it, and is waited out: a server
// that is down, read-only, out of memory, disk, parts or quota, a table that is missing or has other columns, and a
// connection that breaks, of which nobody knows whether the block was written.
//
// A constraint or a materialized view that somebody adds to the table can refuse rows; our own columns have been
// checked before.
var refusals = map[proto.Error]string{
	proto.ErrCannotParseText:                  "a text that cannot be read",
	proto.ErrCannotParseDate:                  "a date that cannot be read",
	proto.ErrCannotParseDatetime:              "a time that cannot be read",
	proto.ErrCannotParseNumber:                "a number that cannot be read",
	proto.ErrArgumentOutOfBound:               "a value out of bounds",
	proto.ErrIncorrectData:                    "incorrect data",
	proto.ErrTooLargeStringSize:               "a text that is too large",
	proto.ErrValueIsOutOfRangeOfDataType:      "a value out of its type's range",
	proto.ErrCannotInsertNullInOrdinaryColumn: "a missing value",
	proto.ErrFunctionThrowIfValueIsNonZero:    "a throwIf",
	proto.ErrDecimalOverflow:                  "a decimal that is too large",
	proto.ErrViolatedConstraint:               "a constraint",
	proto.ErrUnknownElementOfEnum:             "an unknown element of an enumeration",
}

// RejectedRows tells why ClickHouse refuses the rows themselves, if it is that what err says.
func RejectedRows(err error) (why string, refused bool) {
	var exception *ch.Exception
	if !errors.As(err, &exception) {
		return "", false
	}
	why, refused = refusals[exception.Code]
	return why, refused
}

// explain adds to an error of connecting what to change, where that is known.
func explain(err error) error {
	if change := remedy(err); change != "" {
		return fmt.Errorf("%w: %s", err, change)
	}
	return err
}

func remedy(err error) string {
	if change := credential.Explain(err, flagPrefix); change != "" {
		return change
	}
	switch code := codeOf(err); code {
	case proto.ErrAuthenticationFailed, proto.ErrUnknownUser, proto.ErrWrongPassword, proto.ErrRequiredPassword:
		return "check --clickhouse-user and --clickhouse-password"
	case proto.ErrUnknownDatabase, proto.ErrUnknownTable:
		return "make it with millrace migrate, or name another with --database"
	}
	return ""
}

// codeOf is what ClickHouse says, by either of its clients; 0 if it was not ClickHouse that said it.
func codeOf(err error) proto.Error {
	var exception *ch.Exception
	var theirs *clickhouse.Exception
	switch {
	case errors.As(err, &exception):
		return exception.Code
	case errors.As(err, &theirs):
		return proto.Error(theirs.Code)
	}
	return 0
}
