//! Text as an eye reads it: folds characters that look like ASCII to ASCII, so that an imitation of a command is answered, never obeyed.
//!
//! Nothing is accepted because of this table: commands are printable ASCII in the source (failure A6). It only tells a line that pretends to
//! be a command from one that has nothing to do with them, so a character that is missing here costs a sentence, not safety.

/// Characters without a width, marks that combine with the character before, and characters that change the direction of text.
pub fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{00ad}' | '\u{034f}' | '\u{061c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff9}'..='\u{fffb}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0000}'..='\u{e0fff}'
        | '\u{0300}'..='\u{036f}' | '\u{0483}'..='\u{0489}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

/// Characters that turn the direction of everything after them on the line (embeddings, overrides, isolates).
pub fn turns_direction(character: char) -> bool {
    matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The text in lower-case ASCII as far as its characters look like some; other characters stay, invisible ones go.
pub fn folded(text: &str) -> String {
    text.chars()
        .map(|character| if character.is_whitespace() { ' ' } else { character })
        .filter(|character| !is_invisible(*character) && !character.is_control())
        .map(folded_character)
        .collect()
}

fn folded_character(character: char) -> char {
    let code = character as u32;
    let letter = |first: u32| char::from(b'a' + u8::try_from((code - first) % 26).unwrap_or_default());
    match character {
        // Fullwidth forms are ASCII moved by a fixed distance.
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(code - 0xfee0).unwrap_or(character).to_ascii_lowercase(),
        // Mathematical letters: thirteen alphabets of 2 × 26 letters in a row.
        '\u{1d400}'..='\u{1d6a3}' => letter(0x1d400),
        '\u{24b6}'..='\u{24cf}' => letter(0x24b6),
        '\u{24d0}'..='\u{24e9}' => letter(0x24d0),
        '\u{249c}'..='\u{24b5}' => letter(0x249c),
        '\u{1f110}'..='\u{1f129}' => letter(0x1f110),
        '\u{1f130}'..='\u{1f149}' => letter(0x1f130),
        '\u{1f150}'..='\u{1f169}' => letter(0x1f150),
        '\u{1f170}'..='\u{1f189}' => letter(0x1f170),
        '\u{1f1e6}'..='\u{1f1ff}' => letter(0x1f1e6),
        _ => folded_by_shape(character),
    }
}

/// Slashes and the letters of `revertd` in other scripts and with accents.
fn folded_by_shape(character: char) -> char {
    match character {
        '\u{2044}' | '\u{2215}' | '\u{29f8}' | '\u{29f6}' | '\u{2571}' | '\u{27cb}' | '\u{3033}' | '\u{30ce}' | '\u{4e3f}' | '\u{1735}'
        | '\u{2cc6}' | '\u{fe68}' | '\u{2cd2}' => '/',
        'ŕ' | 'ŗ' | 'ř' | 'ȑ' | 'ȓ' | 'ɍ' | 'ṙ' | 'ṛ' | 'ṝ' | 'ṟ' | 'г' | 'ᴦ' | 'ⲅ' | 'ʀ' | 'ɼ' | 'ɽ' | 'Ř' | 'Ŕ' | 'ꭇ' | 'ꮁ' => {
            'r'
        }
        'é' | 'è' | 'ê' | 'ë' | 'ē' | 'ĕ' | 'ė' | 'ę' | 'ě' | 'ȅ' | 'ȇ' | 'ẹ' | 'ẻ' | 'ẽ' | 'е' | 'Е' | 'є' | 'ё' | 'ѐ' | 'ҽ' | 'Ε'
        | 'ε' | 'ɇ' | 'ℯ' | '℮' | 'ⅇ' | 'ꬲ' | 'É' | 'È' | 'Ê' | 'Ë' => 'e',
        'ν' | 'ѵ' | 'ⅴ' | 'Ⅴ' | 'ᴠ' | 'ʋ' | '∨' | 'ט' | 'Ѵ' | 'ṽ' | 'ṿ' | 'ꮩ' => 'v',
        'т' | 'Т' | 'τ' | 'Τ' | 'ţ' | 'ť' | 'ŧ' | 'ț' | 'ṭ' | 'ṫ' | 'ƫ' | 'ᴛ' | 'ƭ' | 'Ț' => 't',
        'ԁ' | 'ď' | 'đ' | 'ḋ' | 'ḍ' | 'ḏ' | 'ḑ' | 'ḓ' | 'ⅾ' | 'Ⅾ' | 'ɗ' | 'ɖ' | 'ⅆ' | 'ᴅ' | 'ժ' | 'Ꭰ' | 'ꓒ' | 'Ď' | 'Đ' => {
            'd'
        }
        'ᵣ' | 'ʳ' => 'r',
        'ᵉ' | 'ₑ' => 'e',
        'ᵛ' | 'ᵥ' => 'v',
        'ᵗ' | 'ₜ' => 't',
        'ᵈ' => 'd',
        other => other.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_the_name_folds_to_it() {
        let imitations = [
            "/revertd",
            "／ｒｅｖｅｒｔｄ",
            "/rеvеrtd",
            "/re\u{200b}vertd",
            "\u{202e}/revertd",
            "/re\u{301}vertd",
            "∕revertd",
            "/𝐫𝐞𝐯𝐞𝐫𝐭𝐝",
            "/ⓡⓔⓥⓔⓡⓣⓓ",
            "/Revertԁ",
            "/réverţď",
            "\u{feff}/revertd",
        ];
        for imitation in imitations {
            assert_eq!(folded(imitation), "/revertd", "{imitation:?}");
        }
        assert_eq!(folded("ünrelated\u{a0}x"), "ünrelated x");
    }
}
