package node

import (
	"io"
	"os"
	"path/filepath"
	"testing"
)

func TestSeekTail(t *testing.T) {
	for _, c := range []struct {
		content string
		lines   int
		want    string
	}{
		{"a\nb\nc\n", 2, "b\nc\n"},
		{"a\nb\nc", 1, "c"},
		{"a\n", 5, "a\n"},
		{"", 3, ""},
	} {
		path := filepath.Join(t.TempDir(), "log")
		if err := os.WriteFile(path, []byte(c.content), 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := seekTail(file, c.lines); err != nil {
			t.Fatal(err)
		}
		if got, _ := io.ReadAll(file); string(got) != c.want {
			t.Errorf("last %d lines of %q: %q", c.lines, c.content, got)
		}
		_ = file.Close()
	}
}
