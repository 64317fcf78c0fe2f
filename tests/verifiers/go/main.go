// Command verify checks an aboveboard log with the code of Go's checksum database:
// golang.org/x/mod/sumdb/note opens checkpoints, sumdb/tlog checks proofs, trees and tiles.
//
//	verify LOG_URL VERIFIER_KEY [OLD_CHECKPOINT_FILE]
//
// audits a served log: its checkpoint, every tile, every entry, and that it continues the old
// checkpoint. Without arguments it answers questions, one JSON object a line, as the tests ask.
package main

import (
	"bufio"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	tileHeight = 8
	tileWidth  = 1 << tileHeight
	maxAnswer  = tileWidth * (2 + 1<<16) // an entry bundle of the longest entries
)

func main() {
	if len(os.Args) == 1 {
		if err := answerAll(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		return
	}
	if len(os.Args) > 4 || len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: verify LOG_URL VERIFIER_KEY [OLD_CHECKPOINT_FILE]")
		os.Exit(2)
	}
	asked := question{Ask: "log", URL: os.Args[1], Key: os.Args[2]}
	if len(os.Args) == 4 {
		old, err := os.ReadFile(os.Args[3])
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		asked.Old = string(old)
	}
	found, err := ask(asked)
	if err != nil {
		fmt.Println("NOT VALID ", err)
		os.Exit(1)
	}
	fmt.Printf("VALID  %s\n       %d entries, root %s\n", found.Origin, found.N, found.Hash)
}

// A question names what is to be checked under which key.
type question struct {
	Ask        string   // checkpoint, record, tree or log
	Key        string   // verifier key
	Checkpoint string   // of checkpoint and tree
	Old        string   // older checkpoint, of tree and log
	Path       []string // consistency proof, base64, of tree
	Proof      string   // C2SP tlog-proof, of record
	Leaf       []byte   // the entry, of record
	URL        string   // address of the log, of log
}

type answer struct {
	OK     bool   `json:"ok"`
	Error  string `json:"error,omitempty"`
	Origin string `json:"origin,omitempty"`
	Size   int64  `json:"size"`
	Root   string `json:"root,omitempty"`
}

func answerAll(in io.Reader, out io.Writer) error {
	questions, answers := json.NewDecoder(bufio.NewReader(in)), json.NewEncoder(out)
	questions.DisallowUnknownFields()
	for {
		var asked question
		if err := questions.Decode(&asked); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		told := answer{OK: true}
		found, err := ask(asked)
		if err != nil {
			told = answer{Error: err.Error()}
		} else {
			told.Origin, told.Size, told.Root = found.Origin, found.N, found.Hash.String()
		}
		if err := answers.Encode(told); err != nil {
			return err
		}
	}
}

func ask(asked question) (*checkpoint, error) {
	verifier, err := note.NewVerifier(asked.Key)
	if err != nil {
		return nil, err
	}
	switch asked.Ask {
	case "checkpoint":
		return open(asked.Checkpoint, verifier)
	case "record":
		return checkRecord(asked, verifier)
	case "tree":
		return checkTree(asked, verifier)
	case "log":
		return checkLog(asked, verifier)
	}
	return nil, fmt.Errorf("unknown question %q", asked.Ask)
}

// A checkpoint is a tree head under its origin: C2SP tlog-checkpoint.
// tlog.ParseTree reads only the notes of Go's own database, hence the parsing below.
type checkpoint struct {
	Origin string
	tlog.Tree
}

func open(text string, verifier note.Verifier) (*checkpoint, error) {
	opened, err := note.Open([]byte(text), note.VerifierList(verifier))
	if err != nil {
		return nil, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 || lines[0] != verifier.Name() {
		return nil, errors.New("expected a checkpoint under the name of its key")
	}
	size, err := number(lines[1])
	if err != nil {
		return nil, err
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		return nil, err
	}
	return &checkpoint{lines[0], tlog.Tree{N: size, Hash: root}}, nil
}

// checkRecord checks that the entry stands where a tlog-proof says.
func checkRecord(asked question, verifier note.Verifier) (*checkpoint, error) {
	opening, signed, ok := strings.Cut(asked.Proof, "\n\n")
	lines := strings.Split(opening, "\n")
	if !ok || lines[0] != "c2sp.org/tlog-proof@v1" {
		return nil, errors.New("expected a tlog-proof")
	}
	lines = lines[1:]
	if len(lines) > 0 && strings.HasPrefix(lines[0], "extra ") {
		lines = lines[1:]
	}
	if len(lines) == 0 || !strings.HasPrefix(lines[0], "index ") {
		return nil, errors.New("expected the line of the index")
	}
	index, err := number(strings.TrimPrefix(lines[0], "index "))
	if err != nil {
		return nil, err
	}
	path, err := hashes(lines[1:])
	if err != nil {
		return nil, err
	}
	head, err := open(signed, verifier)
	if err != nil {
		return nil, err
	}
	return head, tlog.CheckRecord(path, head.N, head.Hash, index, tlog.RecordHash(asked.Leaf))
}

// checkTree checks that the newer tree contains the older one.
func checkTree(asked question, verifier note.Verifier) (*checkpoint, error) {
	old, err := open(asked.Old, verifier)
	if err != nil {
		return nil, err
	}
	head, err := open(asked.Checkpoint, verifier)
	if err != nil {
		return nil, err
	}
	path, err := hashes(asked.Path)
	if err != nil {
		return nil, err
	}
	return head, tlog.CheckTree(path, head.N, head.Hash, old.N, old.Hash)
}

// checkLog reads a whole served log, proving every tile and every entry against the checkpoint.
func checkLog(asked question, verifier note.Verifier) (*checkpoint, error) {
	log := &served{prefix: strings.TrimSuffix(asked.URL, "/"), seen: map[string][]byte{}}
	signed, err := log.get("checkpoint")
	if err != nil {
		return nil, err
	}
	head, err := open(string(signed), verifier)
	if err != nil {
		return nil, err
	}
	nodes := tlog.TileHashReader(head.Tree, log)
	root, err := tlog.TreeHash(head.N, nodes)
	if err != nil {
		return nil, err
	}
	if root != head.Hash {
		return nil, fmt.Errorf("expected root %v, got %v from the tiles", head.Hash, root)
	}
	if asked.Old != "" {
		if err := log.continues(asked.Old, head, nodes, verifier); err != nil {
			return nil, err
		}
	}
	for first := int64(0); first < head.N; first += tileWidth {
		if err := log.checkEntries(first, min(head.N-first, tileWidth), nodes); err != nil {
			return nil, err
		}
	}
	return head, nil
}

// served reads tiles over HTTP: C2SP tlog-tiles. It is a tlog.TileReader.
type served struct {
	prefix string
	seen   map[string][]byte
}

func (log *served) Height() int { return tileHeight }

func (log *served) SaveTiles([]tlog.Tile, [][]byte) {}

func (log *served) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	read := make([][]byte, len(tiles))
	for i, tile := range tiles {
		var err error
		if read[i], err = log.get(path(tile)); err != nil {
			return nil, err
		}
	}
	return read, nil
}

// path turns Go's tile/8/0/x001/067 into tile/0/x001/067, and tile/8/data/… into tile/entries/….
func path(tile tlog.Tile) string {
	rest := strings.TrimPrefix(tile.Path(), fmt.Sprintf("tile/%d/", tileHeight))
	if entries, ok := strings.CutPrefix(rest, "data/"); ok {
		rest = "entries/" + entries
	}
	return "tile/" + rest
}

// continues checks with proofs made from the tiles that the log grew from an older checkpoint.
func (log *served) continues(
	text string, head *checkpoint, nodes tlog.HashReader, verifier note.Verifier,
) error {
	old, err := open(text, verifier)
	if err != nil {
		return err
	}
	if old.N > head.N {
		return fmt.Errorf("expected at least %d entries, got %d: truncated", old.N, head.N)
	}
	if old.N == 0 {
		return nil
	}
	proof, err := tlog.ProveTree(head.N, old.N, nodes)
	if err != nil {
		return err
	}
	return tlog.CheckTree(proof, head.N, head.Hash, old.N, old.Hash)
}

// checkEntries checks one bundle of entries against the tree, and proves its last one.
func (log *served) checkEntries(first, width int64, nodes tlog.HashReader) error {
	bundle, err := log.get(path(tlog.Tile{H: tileHeight, L: -1, N: first / tileWidth, W: int(width)}))
	if err != nil {
		return err
	}
	indexes := make([]int64, width)
	for i := range indexes {
		indexes[i] = tlog.StoredHashIndex(0, first+int64(i))
	}
	proved, err := nodes.ReadHashes(indexes)
	if err != nil {
		return err
	}
	for i, expected := range proved {
		if len(bundle) < 2 || len(bundle) < 2+int(binary.BigEndian.Uint16(bundle)) {
			return fmt.Errorf("expected entry %d, got the end of its bundle", first+int64(i))
		}
		entry := bundle[2 : 2+int(binary.BigEndian.Uint16(bundle))]
		bundle = bundle[2+len(entry):]
		if tlog.RecordHash(entry) != expected {
			return fmt.Errorf("expected the entry that the tree has at %d, got another", first+int64(i))
		}
	}
	if len(bundle) != 0 {
		return fmt.Errorf("expected %d entries from %d on, got more bytes", width, first)
	}
	return nil
}

func (log *served) get(path string) ([]byte, error) {
	if seen, ok := log.seen[path]; ok {
		return seen, nil
	}
	answer, err := http.Get(log.prefix + "/" + path)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("expected 200 for %s, got %d", path, answer.StatusCode)
	}
	read, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err == nil && path != "checkpoint" {
		log.seen[path] = read
	}
	return read, err
}

func number(text string) (int64, error) {
	read, err := strconv.ParseInt(text, 10, 64)
	if err != nil || read < 0 || strconv.FormatInt(read, 10) != text {
		return 0, errors.New("expected a number in decimal")
	}
	return read, nil
}

func hashes(texts []string) ([]tlog.Hash, error) {
	read := make([]tlog.Hash, len(texts))
	for i, text := range texts {
		decoded, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(decoded) != tlog.HashSize {
			return nil, errors.New("expected hashes of 32 bytes in base64")
		}
		copy(read[i][:], decoded)
	}
	return read, nil
}
