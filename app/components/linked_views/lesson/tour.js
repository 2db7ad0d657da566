// The tour: the text of a step, the question that it asks before it shows the answer, and what there is to try.

export class TourPanel {
  constructor(learn, texts, box) {
    Object.assign(this, {learn, texts, box, answers: new Map()})
    const $ = selector => box.querySelector(selector)
    Object.assign(this, {
      head: $('h2'),
      text: $('.tn-says'),
      question: $('.tn-asks'),
      choices: $('.tn-choices'),
      answer: $('.tn-answer'),
      attempt: $('.tn-tries'),
      doIt: $('.tn-do'),
      dots: $('.tn-dots')
    })
    $('.tn-before').addEventListener('click', () => learn.go(learn.lesson.step - 1))
    $('.tn-after').addEventListener('click', () => learn.go(learn.lesson.step + 1))
    this.doIt.addEventListener('click', () => learn.attempt())
  }

  get step() {
    return this.learn.steps[this.learn.lesson.step]
  }
  get answered() {
    return this.answers.has(this.learn.lesson.step)
  }

  guess(choice) {
    this.answers.set(this.learn.lesson.step, choice)
    this.paint()
    this.learn.reveal()
  }

  paint() {
    const {learn, texts, step, box} = this
    const at = learn.lesson.step
    const of = learn.steps.length
    const {question, attempt} = step
    this.head.textContent = step.title
    box.querySelector('.tn-count').textContent = `Step ${at + 1} of ${of}`
    box.querySelector('.tn-before').disabled = at === 0
    box.querySelector('.tn-after').disabled = at === of - 1
    this.paintDots(at)
    texts.put(this.text, step[learn.lesson.captions])
    texts.put(this.question, question.text)
    const given = this.answers.get(at)
    const key = `${at}|${given}|${question.choices.join('|')}`
    if (this.key !== key) {
      this.key = key
      this.paintChoices(question, given)
    }
    this.answer.hidden = given === undefined
    const verdict =
      given === undefined || question.right === null
        ? ''
        : given === question.right
          ? 'As you predicted. '
          : `Not “${question.choices[given]}”, but “${question.choices[question.right]}”. `
    texts.put(this.answer, given === undefined ? '' : verdict + question.answer)
    texts.put(this.attempt, attempt.text)
    this.doIt.hidden =
      !attempt.label || ((attempt.alpha !== null || attempt.beta !== null) && learn.lesson.hidden.includes('cuts'))
    this.doIt.textContent = attempt.label
    box.dataset.answered = given === undefined ? '' : 'yes'
  }

  paintDots(at) {
    if (this.dots.children.length !== this.learn.steps.length) {
      this.dots.replaceChildren(
        ...this.learn.steps.map((step, k) => {
          const dot = document.createElement('button')
          dot.type = 'button'
          dot.title = `${k + 1}: ${step.title}`
          dot.setAttribute('aria-label', `Step ${k + 1}: ${step.title}`)
          dot.textContent = k + 1
          dot.addEventListener('click', () => this.learn.go(k))
          return dot
        })
      )
    }
    for (const [k, dot] of [...this.dots.children].entries())
      if (k === at) dot.setAttribute('aria-current', 'step')
      else dot.removeAttribute('aria-current')
  }

  paintChoices(question, given) {
    this.choices.replaceChildren(
      ...question.choices.map((choice, k) => {
        const button = document.createElement('button')
        button.type = 'button'
        button.textContent = choice
        button.setAttribute('aria-pressed', String(k === given))
        if (given !== undefined)
          button.dataset.was =
            question.right === null ? 'unknown' : k === question.right ? 'right' : k === given ? 'wrong' : 'other'
        button.addEventListener('click', () => this.guess(k))
        return button
      })
    )
  }
}
