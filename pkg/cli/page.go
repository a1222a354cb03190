package cli

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

// Page is a program's part of docs/configuration.md: every flag with its variable, its default and its help.
func Page(cli any, name string) string {
	var b strings.Builder
	node := parserOf(cli, name, "").Model.Node
	describe(&b, node, name)
	return b.String()
}

func describe(b *strings.Builder, node *kong.Node, called string) {
	fmt.Fprintf(b, "## `%s`\n", called)
	if node.Help != "" {
		fmt.Fprintf(b, "\n%s\n", node.Help)
	}
	for _, title := range groups(node) {
		describeGroup(b, node, title)
	}
	for _, child := range node.Children {
		b.WriteString("\n")
		describe(b, child, called+" "+child.Name)
	}
}

// groups are the titles of a node's flags, in the order in which they come; "" is of those in none.
func groups(node *kong.Node) (titles []string) {
	seen := map[string]bool{}
	add := func(title string) {
		if !seen[title] {
			seen[title] = true
			titles = append(titles, title)
		}
	}
	if len(node.Positional) > 0 {
		add("")
	}
	for _, flag := range node.Flags {
		if flag.Name != "help" && flag.Name != "version" {
			add(titleOf(flag))
		}
	}
	return titles
}

func titleOf(flag *kong.Flag) string {
	if flag.Group == nil {
		return ""
	}
	return strings.TrimSuffix(flag.Group.Title, ":")
}

func describeGroup(b *strings.Builder, node *kong.Node, title string) {
	fmt.Fprintf(b, "\n| %s | variable | default | what it is |\n|---|---|---|---|\n", cmp.Or(title, "flag"))
	if title == "" {
		for _, argument := range node.Positional {
			row(b, argument.Tag.PlaceHolder, argument.Tag.Envs, argument)
		}
	}
	for _, flag := range node.Flags {
		if flag.Name == "help" || flag.Name == "version" || titleOf(flag) != title {
			continue
		}
		called := "--" + flag.Name
		switch {
		case flag.Tag.Negatable != "":
			called = "--[no-]" + flag.Name
		case !flag.IsBool():
			called += " " + cmp.Or(flag.Tag.PlaceHolder, "…")
		}
		row(b, called, flag.Envs, flag.Value)
	}
}

func row(b *strings.Builder, called string, variables []string, value *kong.Value) {
	cells := []string{code(called), code(strings.Join(variables, ", ")), code(value.Default), value.Help}
	for i := range cells {
		cells[i] = strings.ReplaceAll(cells[i], "|", `\|`)
	}
	fmt.Fprintf(b, "| %s |\n", strings.Join(cells, " | "))
}

func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + text + "`"
}
