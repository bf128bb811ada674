// Keys of review.py. A Text of ipywidgets knows neither Escape nor the place of the cursor, so a key is
// sent as a command: the value of a hidden field, with the text as it is at this moment.
if (!window.ocrkitReview) {
  window.ocrkitReview = true;
  const KEYS = {Enter: 'right', Escape: 'skip', PageUp: 'undo'};

  const send = (review, action) => {
    const step = review.querySelector('[data-step]').dataset.step;
    if (review.dataset.sent === step) return;  // the kernel still works on the key before
    review.dataset.sent = step;
    const command = review.querySelector('.ocrkit-command input');
    const box = [...review.querySelectorAll('.ocrkit-outline input')].map(input => Number(input.value));
    const text = review.querySelector('.ocrkit-text input').value;
    command.value = JSON.stringify({step: Number(step), action, text, box});
    command.dispatchEvent(new Event('input', {bubbles: true}));
  };

  const insert = (review, letter) => {
    const field = review.querySelector('.ocrkit-text input');
    field.setRangeText(letter, field.selectionStart, field.selectionEnd, 'end');
    field.focus();
  };

  const press = (event, review) => {
    if (event.isComposing) return false;
    const field = event.target.matches('.ocrkit-text input');
    const outline = event.target.matches('.ocrkit-outline input');
    const letter = event.altKey && /^Digit([1-9])$/.exec(event.code);
    if (letter) {
      const button = review.querySelectorAll('.ocrkit-letter')[letter[1] - 1];
      if (button) insert(review, button.title);
    } else if (event.altKey && event.code === 'KeyO') {
      review.querySelector('.ocrkit-outline input').focus();
    } else if (event.key === 'Delete' && field && (event.ctrlKey || !event.target.value)) {
      send(review, 'no text');
    } else if (event.key === 'Enter' && outline) {
      send(review, 'redraw');
    } else if (event.key === 'Escape' && outline) {
      review.querySelector('.ocrkit-text input').focus();
    } else if (field && event.key in KEYS) {
      if (!event.repeat) send(review, KEYS[event.key]);
    } else {
      return false;
    }
    return true;
  };

  // On the window and before all others: JupyterLab has uses of its own for Escape.
  window.addEventListener('keydown', event => {
    const review = event.target.closest?.('.ocrkit-review');
    if (review && press(event, review)) {
      event.preventDefault();
      event.stopImmediatePropagation();
    }
  }, true);
  window.addEventListener('click', event => {
    const button = event.target.closest?.('.ocrkit-review button');
    const action = /ocrkit-do-([a-z-]+)/.exec(button?.className ?? '');
    const letter = button?.classList.contains('ocrkit-letter');
    if (!action && !letter) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const review = button.closest('.ocrkit-review');
    if (letter) {
      insert(review, button.title);
    } else {
      send(review, action[1].replace('-', ' '));
      review.querySelector('.ocrkit-text input').focus();
    }
  }, true);
}
