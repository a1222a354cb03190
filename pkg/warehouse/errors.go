package warehouse

import (
	"errors"
	"fmt"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/millrace/millrace/pkg/credential"
)

// rowErrors are the errors that blame the rows of a block. Retrying the same rows fails again, while other rows may be
// inserted. They come from constraints and materialized views that operators add: Millrace checks its own columns.
//
// All other errors are retried: a server that is down, read-only, or out of memory, disk, parts or quota; a table that
// is missing or has other columns; a broken connection, after which the block may have been written or not.
var rowErrors = map[proto.Error]string{
	proto.ErrCannotParseText:                  "a text that cannot be parsed",
	proto.ErrCannotParseDate:                  "a date that cannot be parsed",
	proto.ErrCannotParseDatetime:              "a time that cannot be parsed",
	proto.ErrCannotParseNumber:                "a number that cannot be parsed",
	proto.ErrArgumentOutOfBound:               "a value out of bounds",
	proto.ErrIncorrectData:                    "incorrect data",
	proto.ErrTooLargeStringSize:               "a text that is too large",
	proto.ErrValueIsOutOfRangeOfDataType:      "a value out of its type's range",
	proto.ErrCannotInsertNullInOrdinaryColumn: "a missing value",
	proto.ErrFunctionThrowIfValueIsNonZero:    "a failed throwIf",
	proto.ErrDecimalOverflow:                  "a decimal that is too large",
	proto.ErrViolatedConstraint:               "a constraint",
	proto.ErrUnknownElementOfEnum:             "an unknown value of an enumeration",
}

// RejectedRows reports whether err blames the rows of a block, and why they were rejected.
func RejectedRows(err error) (reason string, rejected bool) {
	var exception *ch.Exception
	if !errors.As(err, &exception) {
		return "", false
	}
	reason, rejected = rowErrors[exception.Code]
	return reason, rejected
}

// explain adds the remedy to an error, if one is known.
func explain(err error) error {
	if change := remedy(err); change != "" {
		return fmt.Errorf("%w: %s", err, change)
	}
	return err
}

// remedy returns what an operator can do about an error, or "".
func remedy(err error) string {
	if change := credential.Explain(err, flagPrefix); change != "" {
		return change
	}
	switch code := codeOf(err); code {
	case proto.ErrAuthenticationFailed, proto.ErrUnknownUser, proto.ErrWrongPassword, proto.ErrRequiredPassword:
		return "check --clickhouse-user and --clickhouse-password"
	case proto.ErrUnknownDatabase, proto.ErrUnknownTable:
		return "run millrace migrate, or name another database with --database"
	}
	return ""
}

// codeOf returns ClickHouse's error code from an error of either client, or 0.
func codeOf(err error) proto.Error {
	var exception *ch.Exception
	var sqlException *clickhouse.Exception
	switch {
	case errors.As(err, &exception):
		return exception.Code
	case errors.As(err, &sqlException):
		return proto.Error(sqlException.Code)
	}
	return 0
}
