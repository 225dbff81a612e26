package location

import "bufio"

// prepareStep is by how much the file grows at a time.
const prepareStep = 1 << 20

var zeros [64 << 10]byte

// prepare makes the file some steps longer than end.
func (j *journal) prepare(end int64) error {
	for j.prepared < end || j.prepared%prepareStep != 0 {
		n := min(int64(len(zeros)), prepareStep-j.prepared%prepareStep)
		if _, err := j.file.WriteAt(zeros[:n], j.prepared); err != nil {
			return err
		}
		j.prepared += n
	}
	return nil
}

// onlyZeros returns io.EOF when nothing but zeros follows, as in a file that was
// prepared for more.
func onlyZeros(in *bufio.Reader) error {
	for {
		c, err := in.ReadByte()
		if err != nil {
			return err
		}
		if c != 0 {
			return errRecord
		}
	}
}
