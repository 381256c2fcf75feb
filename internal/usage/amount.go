package usage

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// Amount is money in hundred-millionths of its currency: sums are exact, in
// whatever order lines come.
type Amount int64

const (
	unit   = 100_000_000
	digits = 8
	zeros  = "00000000"
)

var errAmount = errors.New("not an amount such as 12.34")

// parseAmount reads a decimal number. Digits behind the eighth are rounded.
// comma is whether a comma may be the decimal sign.
func parseAmount(text string, comma bool) (Amount, error) {
	if whole, ok := plainAmount(text); ok {
		return whole, nil
	}
	if comma && strings.Count(text, ",") == 1 && !strings.Contains(text, ".") {
		text = strings.Replace(text, ",", ".", 1)
		if whole, ok := plainAmount(text); ok {
			return whole, nil
		}
	}
	if strings.ContainsAny(text, "xX_pPnN") { // what Go reads and no invoice writes
		return 0, errAmount
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.Abs(f) > 9e10 {
		return 0, errAmount
	}
	return Amount(math.Round(f * unit)), nil
}

// plainAmount reads digits with at most one point and a sign, without exponent:
// exactly, where a float would not.
func plainAmount(text string) (Amount, bool) {
	whole, fraction, _ := strings.Cut(text, ".")
	if strings.TrimPrefix(whole, "-")+fraction == "" {
		return 0, false
	}
	up := int64(0)
	if len(fraction) > digits {
		if strings.Trim(fraction[digits:], "0123456789") != "" {
			return 0, false
		}
		if fraction[digits] >= '5' {
			up = 1
		}
	}
	value, err := strconv.ParseInt(whole+(fraction + zeros)[:digits], 10, 64)
	if strings.HasPrefix(whole, "-") {
		up = -up
	}
	return Amount(value + up), err == nil
}

// add adds two amounts, and stays at the largest where their sum is larger.
func (a Amount) add(b Amount) Amount {
	sum := a + b
	switch {
	case a > 0 && b > 0 && sum < 0:
		return math.MaxInt64
	case a < 0 && b < 0 && sum > 0:
		return math.MinInt64
	}
	return sum
}

// String writes an amount with two digits behind the point.
func (a Amount) String() string {
	return strconv.FormatFloat(float64(a)/unit, 'f', 2, 64)
}
