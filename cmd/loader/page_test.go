package main

import (
	"testing"

	"github.com/millrace/millrace/pkg/program/programtest"
)

func TestTheConfigurationPageHasEveryFlag(t *testing.T) { programtest.HoldPage(t, &cli{}, "loader") }
