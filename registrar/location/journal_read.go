package location

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

// generations lists the generations that have a file of that prefix, ascending.
func generations(dir, prefix string) ([]uint64, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var gens []uint64
	for _, e := range entries {
		digits, ok := strings.CutPrefix(e.Name(), prefix)
		if !ok {
			continue
		}
		if gen, err := strconv.ParseUint(digits, 10, 64); err == nil {
			gens = append(gens, gen)
		}
	}
	slices.Sort(gens)
	return gens, nil
}

// readRecords calls fn with each payload of a file and returns how much of the
// file is sound. An error beyond that is errRecord: a torn or damaged record,
// after which nothing can be told apart.
func readRecords(path string, fn func(payload string) error) (sound int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, 1<<20)
	head := make([]byte, len(fileMagic))
	if _, err := io.ReadFull(in, head); err != nil {
		return 0, errRecord // a crash at its first write
	}
	if string(head) != fileMagic {
		return 0, fmt.Errorf("%s is of another version or no file of registrations", path)
	}
	sound = int64(len(fileMagic))
	var buf []byte
	for {
		var payload string
		payload, buf, err = readRecord(in, buf)
		if errors.Is(err, io.EOF) {
			return sound, nil
		}
		if err != nil {
			return sound, err
		}
		if err := fn(payload); err != nil {
			return sound, err
		}
		sound += recordHeader + int64(len(payload))
	}
}

// readRecord reads by way of buf, which it returns for the next time.
func readRecord(in *bufio.Reader, buf []byte) (string, []byte, error) {
	var head [recordHeader]byte
	switch _, err := io.ReadFull(in, head[:]); {
	case errors.Is(err, io.ErrUnexpectedEOF):
		if head == [recordHeader]byte{} {
			return "", buf, io.EOF // the last of the zeros
		}
		return "", buf, errRecord
	case err != nil:
		return "", buf, err
	}
	n := binary.LittleEndian.Uint32(head[:])
	if n == 0 {
		return "", buf, onlyZeros(in)
	}
	if n > maxRecord {
		return "", buf, errRecord
	}
	buf = slices.Grow(buf[:0], int(n))[:n]
	if _, err := io.ReadFull(in, buf); err != nil {
		return "", buf, errRecord
	}
	if crc32.Checksum(buf, castagnoli) != binary.LittleEndian.Uint32(head[4:]) {
		return "", buf, errRecord
	}
	return string(buf), buf, nil
}
