//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// sql runs a statement past all links and returns what it answers, tab-separated.
func (w *world) sql(ctx context.Context, statement string) (string, error) {
	body, err := w.query(ctx, statement)
	if err != nil {
		return "", err
	}
	defer body.Close()
	text, err := io.ReadAll(body)
	if err == nil && strings.Contains(string(text), "__exception__") {
		err = errors.New(string(text))
	}
	return strings.TrimSuffix(string(text), "\n"), err
}

func (w *world) query(ctx context.Context, statement string) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.clickhouse.HTTPURL()+"/?database="+database, strings.NewReader(statement))
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		defer response.Body.Close()
		text, _ := io.ReadAll(response.Body)
		return nil, fmt.Errorf("%.80s…: %s", statement, text)
	}
	return response.Body, nil
}

// each reads an answer line by line.
func (w *world) each(ctx context.Context, query string, take func(line string)) error {
	body, err := w.query(ctx, query)
	if err != nil {
		return err
	}
	defer body.Close()
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "__exception__") {
			return fmt.Errorf("%s", lines.Text())
		}
		take(lines.Text())
	}
	return lines.Err()
}
